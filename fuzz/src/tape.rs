//! Tapes of exchanges.

use sim::tape::Tape;

/// The input is a tape.
pub(crate) fn tape(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let tape = match Tape::parse(text) {
        Ok(tape) => tape,
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            for error in errors {
                let lines = text.split('\n').count();
                assert!((1..=lines).contains(&error.line), "line {} of {lines}: {error}", error.line);
                assert!(!error.message.is_empty(), "an error without words");
            }
            return;
        }
    };
    for exchange in &tape.exchanges {
        assert!(exchange.name().is_ok(), "a tape was accepted with a request that has no name");
    }
    let written = serde_json::to_string(&tape).expect("a tape is written");
    let again = Tape::parse(&written).unwrap_or_else(|errors| panic!("{written} is refused: {errors:?}"));
    assert_eq!(serde_json::to_string(&again).expect("a tape is written"), written);
}
