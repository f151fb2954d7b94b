//! The engine on a real database in memory, with a clock that stands still until it is moved and vendors that do as told.

mod back_off;
mod broken;
mod due;
mod fake;
mod identities;
mod live;
mod post;
mod seen;
mod simulation;
mod story;
mod tell;
mod world;
