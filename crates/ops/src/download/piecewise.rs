//! Files that a function writes one piece after the other.

use futures_util::stream::{self, StreamExt as _};
use model::view::{Refusal, RefusalKind};
use tokio::sync::mpsc;

use super::Export;
use crate::refusal::{Result, refuse};

/// Where the pieces go.
pub(super) struct Sink {
    out: mpsc::Sender<std::result::Result<Vec<u8>, Refusal>>,
    piece: Vec<u8>,
}

/// Bytes that are gathered before they are handed on.
const PIECE: usize = 64 * 1024;

impl Sink {
    /// What was written and not yet handed on.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.piece
    }

    /// Hands on what was written, if it is enough; waits until the reader has taken the piece before.
    pub(super) async fn pause(&mut self) -> Result<()> {
        if self.piece.len() < PIECE {
            return Ok(());
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<()> {
        let gone = |_| {
            let message = "The reader of the export went away.";
            refuse(RefusalKind::Conflict, message, "Export again.")
        };
        self.out.send(Ok(std::mem::take(&mut self.piece))).await.map_err(gone)
    }
}

/// The file that `write` writes. It is written while it is read, at most one piece ahead, and not at all once the reader
/// has gone. A refusal ends it.
pub(super) fn file<W, F>(write: W) -> Export
where
    W: FnOnce(Sink) -> F + Send + 'static,
    F: Future<Output = Result<Sink>> + Send + 'static,
{
    let (out, pieces) = mpsc::channel(1);
    let written = async move {
        let sink = Sink { out: out.clone(), piece: Vec::new() };
        let end = match write(sink).await {
            Ok(mut sink) => sink.flush().await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = end {
            // Nobody is left to be told when this fails too.
            let _reader_is_gone = out.send(Err(refusal)).await;
        }
        None
    };
    let pieces = stream::unfold(pieces, |mut pieces| async { pieces.recv().await.map(|p| (p, pieces)) });
    // The writer is polled by whoever reads, so it ends with the stream, and its panic is the reader's.
    stream::select(pieces, stream::once(written).filter_map(std::future::ready)).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(export: Export) -> Vec<std::result::Result<Vec<u8>, Refusal>> {
        export.collect().await
    }

    #[tokio::test]
    async fn pieces_come_in_order_and_all_of_them() {
        let export = file(|mut sink| async move {
            for n in 0..10u8 {
                sink.buffer().extend(std::iter::repeat_n(n, PIECE / 3));
                sink.pause().await?;
            }
            Ok(sink)
        });
        let bytes: Vec<u8> = read(export).await.into_iter().flat_map(|p| p.expect("a piece")).collect();
        let wanted: Vec<u8> = (0..10u8).flat_map(|n| std::iter::repeat_n(n, PIECE / 3)).collect();
        assert_eq!(bytes, wanted);
    }

    #[tokio::test]
    async fn a_refusal_is_the_last_item() {
        let export = file(|mut sink| async move {
            sink.buffer().extend(std::iter::repeat_n(b'a', PIECE));
            sink.pause().await?;
            Err(refuse(RefusalKind::Internal, "broken", ""))
        });
        let items = read(export).await;
        assert_eq!(items.len(), 2);
        assert!(items[0].is_ok() && items[1].is_err(), "a part is never taken for the whole");
    }

    #[tokio::test]
    async fn nothing_is_written_for_nobody() {
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut export = file(move |mut sink| async move {
            loop {
                sink.buffer().extend(std::iter::repeat_n(b'a', PIECE));
                sink.pause().await?;
                let _ = tell.send(());
            }
        });
        assert!(export.next().await.is_some());
        drop(export);
        let mut written = 0;
        while told.recv().await.is_some() {
            written += 1;
        }
        assert!(written <= 3, "the writer ran {written} pieces ahead");
    }
}
