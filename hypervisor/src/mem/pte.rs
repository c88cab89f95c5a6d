//! A page-table entry as a PV guest writes it, and what of it is allowed.

use machine::Mfn;

/// An entry of a page table of any level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pte(pub u64);

/// Present.
pub const P: u64 = 1;
/// Writable.
pub const RW: u64 = 1 << 1;
/// Accessible from ring 3. Both a PV guest's kernel and its users run there.
pub const US: u64 = 1 << 2;
/// Write-through.
pub const PWT: u64 = 1 << 3;
/// Cache disable.
pub const PCD: u64 = 1 << 4;
/// Accessed.
pub const A: u64 = 1 << 5;
/// Dirty.
pub const D: u64 = 1 << 6;
/// Page attribute table (level 1), page size (above).
pub const PAT_PSE: u64 = 1 << 7;
/// Global.
pub const G: u64 = 1 << 8;
/// Free for software, low.
pub const AVAIL: u64 = 7 << 9;
/// Set by the hypervisor on pages of the guest's kernel, which it had to give US: they must
/// not be global, because a change to the users' root table has to hide them.
pub const GUEST_KERNEL: u64 = 1 << 52;
/// Free for software, high.
pub const AVAIL_HIGH: u64 = 0x7ff << 52;
/// No execute.
pub const NX: u64 = 1 << 63;
/// Machine address.
pub const ADDR: u64 = 0x000f_ffff_ffff_f000;

/// How memory is cached, at level 1.
pub const CACHING: u64 = PWT | PCD | PAT_PSE;

/// Bits that an entry of level 1 may have.
const L1_ALLOWED: u64 =
    P | RW | US | PWT | PCD | A | D | PAT_PSE | G | AVAIL | AVAIL_HIGH | NX | ADDR;
/// Bits that an entry of a higher level may have. Superpages are refused. So are memory types:
/// the processor would walk the table past the caches, and might find there what it held before
/// it was checked.
const TABLE_ALLOWED: u64 = P | RW | US | A | D | AVAIL | AVAIL_HIGH | NX | ADDR;

impl Pte {
    /// Whether it maps anything.
    #[inline(always)]
    pub fn present(self) -> bool {
        self.0 & P != 0
    }

    /// Whether it lets the guest write.
    #[inline(always)]
    pub fn writable(self) -> bool {
        self.0 & RW != 0
    }

    /// The frame it names.
    #[inline(always)]
    pub fn mfn(self) -> Mfn {
        Mfn((self.0 & ADDR) >> 12)
    }

    /// Whether a guest may have it at `level`, as far as its flags go.
    #[inline(always)]
    pub fn allowed(self, level: u8) -> bool {
        let allowed = if level == 1 {
            L1_ALLOWED
        } else {
            TABLE_ALLOWED
        };
        self.0 & !allowed == 0
    }

    /// The entry as it goes into the table: reachable from ring 3, and global exactly when it
    /// maps a page of the guest's users.
    #[inline(always)]
    pub fn adjusted(self, level: u8) -> Pte {
        if !self.present() {
            return self;
        }
        if level != 1 {
            return Pte(self.0 | US);
        }
        if self.0 & US == 0 || self.0 & GUEST_KERNEL != 0 {
            Pte((self.0 | US | GUEST_KERNEL) & !G)
        } else {
            Pte(self.0 | G)
        }
    }
}
