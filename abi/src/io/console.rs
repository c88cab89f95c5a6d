//! The ring of a guest's console. `io/console.h`.

use crate::forms::zeroed_default;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The page of a console's rings: used by offset, atomically.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenconsInterface {
    pub r#in: [u8; 1024],
    pub out: [u8; 2048],
    pub in_cons: u32,
    pub in_prod: u32,
    pub out_cons: u32,
    pub out_prod: u32,
}

zeroed_default!(XenconsInterface);
