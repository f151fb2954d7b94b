//! The network as transports see it: the one outbound client, with its address filter.

use collect::Outbound;
use futures_util::future::BoxFuture;
use notify::{Answer, Network, Stream, Trouble};

/// Connections through the one outbound client.
#[derive(Debug, Clone)]
pub struct Filtered(pub Outbound);

impl Network for Filtered {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Stream, Trouble>> {
        Box::pin(async move { self.0.dial(host, port).await.map_err(Trouble::passing) })
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<Answer, Trouble>> {
        Box::pin(async move {
            let posted = self.0.post(url, headers, body).await.map_err(Trouble::passing)?;
            Ok(Answer {
                status: posted.status,
                retry_after_seconds: posted.retry_after_seconds,
                says: String::from_utf8_lossy(&posted.body).into_owned(),
            })
        })
    }
}
