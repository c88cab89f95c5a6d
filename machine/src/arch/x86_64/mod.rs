//! The PC: boots it and drives its processors, tables, timers and interrupt controllers.
//!
//! State here is hardware's, so it may be static; everything else is passed.

pub mod head;
pub mod io;
pub mod layout;
pub mod panic;
pub mod serial;
pub mod start;
