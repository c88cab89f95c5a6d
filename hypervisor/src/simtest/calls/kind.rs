//! What a field of an argument means, which is what decides the values that are tried.

/// What a field means.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A domain's id.
    Domid,
    /// A port of an event channel.
    Port,
    /// A grant reference.
    Gref,
    /// A handle of a mapped grant.
    Handle,
    /// A frame of the caller's, mostly.
    Mfn,
    /// A frame of any domain's.
    AnyMfn,
    /// A page-table entry.
    Pte,
    /// Machine address of an entry of a table.
    Entry,
    /// An address in the caller's data.
    Va,
    /// An address at which something could be mapped.
    Hole,
    /// The physical address of something in a frame of the caller's.
    Gaddr,
    /// The address of an array of up to four of these, eight bytes each.
    Array(&'static Kind),
    /// The address of an array of calls, for `multicall`.
    Calls,
    /// The address of a buffer.
    Buffer,
    /// The address of one of these texts, with a zero behind it.
    Text(&'static [&'static str]),
    /// The bytes of the text before, with its zero.
    Length,
    /// How many: mostly one to four.
    Count,
    /// A vCPU.
    Vcpu,
    /// A CPU.
    Cpu,
    /// A number below this one.
    Below(u32),
    /// One of these.
    Of(&'static [u64]),
    /// Any of these bits.
    Bits(u64),
    /// A point in time soon.
    Soon,
    /// Any number.
    Any,
    /// Always this.
    Is(u64),
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its first byte in the structure.
    pub at: u16,
    /// Its bytes: 1, 2, 4 or 8.
    pub size: u8,
    /// What it means.
    pub kind: Kind,
}

/// The size of the field that `of` gives.
pub const fn size<S, F>(_of: fn(&S) -> &F) -> u8 {
    size_of::<F>() as u8
}
