//! Has the crate built again when a file of the catalogue changes: the macro that embeds the folder does not.
fn main() {
    println!("cargo:rerun-if-changed=../../catalog");
}
