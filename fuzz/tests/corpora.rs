//! Every target with what lies in its folder of `corpus/`, and with seeded changes of that.

use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};

/// The bytes that one target's folder may hold, and one file: a corpus is for people to read.
const FOLDER_BYTES: usize = 48 << 10;
const FILE_BYTES: usize = 8 << 10;

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let entries =
        std::fs::read_dir(folder(target)).unwrap_or_else(|e| panic!("corpus of {}: {e}", target.name));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(&path).expect("a file"))).collect()
}

/// Runs one input; where it fails it is left in a file, ready to be put into the corpus.
fn run(target: &Target, input: &[u8], from: &str) {
    struct Kept<'a>(&'a str, &'a [u8], &'a str);
    impl Drop for Kept<'_> {
        #[expect(clippy::print_stderr, reason = "the input is what the failure is about")]
        fn drop(&mut self) {
            if std::thread::panicking() {
                let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failed-{}", self.0));
                let kept = std::fs::write(&file, self.1);
                let head: String = String::from_utf8_lossy(self.1).chars().take(300).collect();
                eprintln!("{} failed on {}: {head:?}; kept in {}: {kept:?}", self.0, self.2, file.display());
            }
        }
    }
    let kept = Kept(target.name, input, from);
    (target.run)(input);
    drop(kept);
}

#[test]
fn corpora_are_there_and_small() {
    for target in &TARGETS {
        let files = corpus(target);
        assert!(files.len() >= 3, "{} has {} files", target.name, files.len());
        let all: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(all <= FOLDER_BYTES, "{}: {all} bytes", target.name);
        assert!(files.iter().all(|(_, bytes)| bytes.len() <= FILE_BYTES), "{}", target.name);
    }
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).expect("a folder");
    assert_eq!(folders.count(), TARGETS.len(), "a folder that belongs to no target");
}

/// Numbers that look random and are always the same (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % (n.max(1) as u64)).expect("below n")
    }
}

/// One to four small changes: a byte, a piece left out, doubled, or taken from another input.
fn changed(seeded: &mut Seeded, inputs: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    const TELLING: [&[u8]; 14] = [
        b"\"",
        b"'",
        b"\\",
        b"\n",
        b"\r\n",
        b"\0",
        b"<",
        b">",
        b"{",
        b"}",
        b"\xff",
        b"\xe2\x80\xae",
        b"99999999999999999999",
        b";",
    ];
    let mut input = inputs[seeded.below(inputs.len())].1.clone();
    for _ in 0..=seeded.below(4) {
        let at = seeded.below(input.len() + 1);
        let to = (at + seeded.below(16)).min(input.len());
        match seeded.below(6) {
            0 if at < input.len() => input[at] = u8::try_from(seeded.below(256)).expect("a byte"),
            1 => drop(input.drain(at..to)),
            2 => {
                let piece = input[at..to].to_vec();
                input.splice(at..at, piece);
            }
            3 => {
                let other = &inputs[seeded.below(inputs.len())].1;
                let from = seeded.below(other.len() + 1);
                let end = (from + seeded.below(40)).min(other.len());
                input.splice(at..to, other[from..end].iter().copied());
            }
            4 => input.truncate(at),
            _ => drop(input.splice(at..at, TELLING[seeded.below(TELLING.len())].iter().copied())),
        }
    }
    input
}

fn try_target(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let files = corpus(target);
    for (path, bytes) in &files {
        run(target, bytes, &path.display().to_string());
    }
    let mut seeded = Seeded(7);
    for number in 0..target.changes {
        let input = changed(&mut seeded, &files);
        run(target, &input, &format!("change {number}"));
    }
}

/// One test a target, so that they run side by side and one that fails has a name.
macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            try_target(stringify!($name));
        })+

        #[test]
        fn every_target_is_tried() {
            let named: Vec<&str> = vec![$(stringify!($name)),+];
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(named, all);
        }
    };
}

targets!(
    expr_parse,
    expr_eval,
    manifest,
    check,
    extract,
    answer_rules,
    link_header,
    next_link,
    tape,
    session_cookie,
    requests,
    mail_headers,
    syslog,
    slack,
    spreadsheet,
);
