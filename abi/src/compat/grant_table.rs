//! Arguments of `grant_table_op`. Most have one form; frame numbers and handles make the others.

use super::compat;
use crate::grant_table::{
    GnttabCopy, GnttabCopyPtr, GnttabGetStatusFrames, GnttabSetupTable, GnttabTransfer,
};

compat! {
    /// A table to set up; its list holds frame numbers of 32 bits.
    GnttabSetupTable => CompatGnttabSetupTable {
        dom: u16,
        _pad0: u16,
        nr_frames: u32,
        status: i16,
        _pad1: [u8; 2],
        frame_list: u32,
    }

    /// A frame to give away.
    GnttabTransfer => CompatGnttabTransfer {
        mfn: u32,
        domid: u16,
        _pad0: u16,
        r#ref: u32,
        status: i16,
        _pad1: [u8; 2],
    }

    /// One side of a copy.
    GnttabCopyPtr => CompatGnttabCopyPtr {
        u: u32,
        domid: u16,
        offset: u16,
    }

    /// A copy.
    GnttabCopy => CompatGnttabCopy {
        source: CompatGnttabCopyPtr,
        dest: CompatGnttabCopyPtr,
        len: u16,
        flags: u16,
        status: i16,
        _pad0: u16,
    }

    /// Frames of status words to list; the list holds 64-bit numbers all the same.
    GnttabGetStatusFrames => CompatGnttabGetStatusFrames {
        nr_frames: u32,
        dom: u16,
        status: i16,
        frame_list: u32,
    }
}
