//! Grant-table entries: words in memory that both sides change atomically.
//! `grant_table.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An index in a domain's grant table.
pub type GrantRef = u32;

/// A mapping's handle, in the mapping domain.
pub type GrantHandle = u32;

/// A version 2 table's status word.
pub type GrantStatus = u16;

numbers! {
    /// A type or flag of a grant entry's `flags`.
    u16;
    GTF_invalid = 0;
    GTF_permit_access = 1;
    GTF_accept_transfer = 1 << 1;
    GTF_transitive = 3;
    GTF_type_mask = 3;
    GTF_readonly = 1 << 2;
    GTF_reading = 1 << 3;
    GTF_writing = 1 << 4;
    GTF_PWT = 1 << 5;
    GTF_PCD = 1 << 6;
    GTF_PAT = 1 << 7;
    GTF_sub_page = 1 << 8;
    GTF_transfer_committed = 1 << 2;
    GTF_transfer_completed = 1 << 3;
}

numbers! {
    /// A reserved reference of a grant table.
    u32;
    GNTTAB_NR_RESERVED_ENTRIES = 8;
    GNTTAB_RESERVED_CONSOLE = 0;
    GNTTAB_RESERVED_XENSTORE = 1;
}

/// A version 1 grant entry.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GrantEntryV1 {
    pub flags: u16,
    pub domid: u16,
    pub frame: u32,
}

/// The first word of a version 2 entry.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GrantEntryHeader {
    pub flags: u16,
    pub domid: u16,
}

/// The `full_page` arm of [`GrantEntryV2`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GrantEntryV2FullPage {
    pub hdr: GrantEntryHeader,
    pub pad0: u32,
    pub frame: u64,
}

/// The `sub_page` arm of [`GrantEntryV2`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GrantEntryV2SubPage {
    pub hdr: GrantEntryHeader,
    pub page_off: u16,
    pub length: u16,
    pub frame: u64,
}

/// The `transitive` arm of [`GrantEntryV2`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GrantEntryV2Transitive {
    pub hdr: GrantEntryHeader,
    pub trans_domid: u16,
    pub pad0: u16,
    pub gref: u32,
}

/// The union `grant_entry_v2`, as raw words.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GrantEntryV2 {
    /// Union: `hdr`: [`GrantEntryHeader`], `full_page`: [`GrantEntryV2FullPage`], `sub_page`: [`GrantEntryV2SubPage`], `transitive`: [`GrantEntryV2Transitive`], `__spacer`: `[u32; 4]`.
    pub u: [u64; 2],
}

payload! {
    GrantEntryV2.u;
}
