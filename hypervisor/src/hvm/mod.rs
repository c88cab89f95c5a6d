//! Hardware-virtualised guests.

pub mod vlapic;
