//! Exporting a list takes the memory of a page of it, however long it is. A test file of its own, because it counts what
//! the whole process allocates.

#[expect(dead_code, reason = "a test uses a part of it")]
mod support;

use model::scan::{RunOutcome, ScanKind};
use ops::FindingsFormat as Format;
use support::{bed, failing};

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

const FEW: usize = 1_100;
const MANY: usize = 5_500;

#[tokio::test]
async fn five_times_the_findings_take_no_more_memory() {
    let mut peaks = Vec::new();
    for findings in [FEW, MANY] {
        let bed = bed().await;
        let acme = bed.onboard("acme").await;
        {
            let results: Vec<_> = (0..findings).map(|n| failing(&format!("repository-{n:06}"))).collect();
            bed.run(&acme, ScanKind::Config, RunOutcome::Succeeded, &results, &[], &[]).await;
        }
        let mut of_formats = Vec::new();
        for format in Format::ALL {
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let length = bed.drain(format).await;
            assert!(length > findings * 100, "{format:?}: {length} bytes");
            of_formats.push(MEMORY.peak_usage() - before);
        }
        peaks.push(of_formats);
    }
    for ((format, few), many) in Format::ALL.iter().zip(&peaks[0]).zip(&peaks[1]) {
        assert!(many * 5 < few * 6, "{format:?}: {FEW} findings took {few} bytes, {MANY} took {many}");
    }
}
