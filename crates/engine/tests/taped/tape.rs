//! A case of the catalogue's fixtures. `sim::tape` plays it; all of them are played by the tests of the command line, by the
//! same code as `parapet app try`.

use std::path::Path;

use sim::tape::Tape;

/// One case of an application's fixtures.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) app: String,
    pub(crate) tape: Tape,
}

/// A case of the catalogue.
pub(crate) fn case(app: &str, name: &str) -> Case {
    let place = format!("../../catalog/apps/{app}/fixtures/{name}/tape.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let tape = Tape::parse(&text).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
    Case { app: app.to_owned(), tape }
}
