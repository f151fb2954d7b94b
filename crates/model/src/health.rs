//! Health (see the engine helper).
