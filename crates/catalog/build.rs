//! Has the crate built again when a file of the catalogue changes: the macro that embeds the folder does not.
fn main() {
    #[expect(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
    {
        println!("cargo:rerun-if-changed=../../catalog");
    }
}
