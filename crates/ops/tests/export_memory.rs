//! Exporting a list takes the memory of a page of it, however long it is. A test file of its own, because it counts what
//! the whole process allocates.

#[expect(dead_code, reason = "a test uses a part of it")]
mod support;

use model::scan::{RunOutcome, ScanKind};
use ops::{FindingsFormat, Format};
use support::{bed, failing};

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// More than the stretch of ids that is held at once.
const FEW: usize = 1_100;
const MANY: usize = 5_500;

/// What reading a file takes at its peak, in bytes.
async fn peak(read: impl Future<Output = usize>, rows: usize) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let length = read.await;
    assert!(length > rows * 50, "{length} bytes for {rows} rows");
    MEMORY.peak_usage() - before
}

#[tokio::test]
async fn five_times_the_rows_take_no_more_memory() {
    let mut peaks = Vec::new();
    for rows in [FEW, MANY] {
        let bed = bed().await;
        let acme = bed.onboard("acme").await;
        {
            let results: Vec<_> = (0..rows).map(|n| failing(&format!("repository-{n:06}"))).collect();
            bed.run(&acme, ScanKind::Config, RunOutcome::Succeeded, &results, &[], &[]).await;
        }
        bed.run_accounts(&acme, rows).await;
        let mut of_files = Vec::new();
        for format in FindingsFormat::ALL {
            of_files.push((format!("findings as {format:?}"), peak(bed.drain(format), rows).await));
        }
        for format in [Format::Csv, Format::Json] {
            of_files.push((format!("accounts as {format:?}"), peak(bed.drain_accounts(format), rows).await));
        }
        peaks.push(of_files);
    }
    for ((file, few), (_, many)) in peaks[0].iter().zip(&peaks[1]) {
        assert!(many * 5 < few * 6, "{file}: {FEW} rows took {few} bytes, {MANY} took {many}");
    }
}
