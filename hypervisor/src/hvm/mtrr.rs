//! A vCPU's memory type range registers (Intel SDM 3A, 12.11).
//!
//! They are kept for the guest, which finds what it wrote. Its memory is RAM, and cached whatever
//! they say: only its page tables' types count.

use xen_abi::hvm::save::HvmHwMtrr;

/// Variable ranges.
const RANGES: u32 = 8;
const CAP: u32 = 0xfe;
const DEF_TYPE: u32 = 0x2ff;
const VARIABLE: u32 = 0x200;
const VARIABLE_LAST: u32 = VARIABLE + 2 * RANGES - 1;
/// The registers of fixed ranges, in the order of the record.
const FIXED: [u32; 11] = [
    0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
];
/// Ranges of each kind, and the write-combining type.
const CAP_VALUE: u64 = 1 << 10 | 1 << 8 | RANGES as u64;
/// Enable bits and the type.
const DEF_KNOWN: u64 = 0xcff;
const VALID: u64 = 1 << 11;

fn is_type(value: u64) -> bool {
    matches!(value, 0 | 1 | 4..=6)
}

/// The registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mtrr {
    variable: [u64; 2 * RANGES as usize],
    fixed: [u64; FIXED.len()],
    def_type: u64,
}

impl Mtrr {
    /// Reads a register. `None` when it is none of these.
    pub fn read(&self, msr: u32) -> Option<u64> {
        match msr {
            CAP => Some(CAP_VALUE),
            DEF_TYPE => Some(self.def_type),
            VARIABLE..=VARIABLE_LAST => self.variable.get((msr - VARIABLE) as usize).copied(),
            _ => {
                let index = FIXED.iter().position(|fixed| *fixed == msr)?;
                self.fixed.get(index).copied()
            }
        }
    }

    /// Writes one, where physical addresses have `bits`. `None` when it is none of these; `false`
    /// is a #GP.
    pub fn write(&mut self, msr: u32, value: u64, bits: u32) -> Option<bool> {
        let beyond = u64::MAX.checked_shl(bits).unwrap_or(0);
        let (slot, ok) = match msr {
            CAP => return Some(false),
            DEF_TYPE => {
                let ok = value & !DEF_KNOWN == 0 && is_type(value & 0xff);
                (&mut self.def_type, ok)
            }
            VARIABLE..=VARIABLE_LAST => {
                let mask = msr & 1 != 0;
                let low = if mask { 0xfff & !VALID } else { 0xf00 };
                let ok = value & (beyond | low) == 0 && (mask || is_type(value & 0xff));
                (self.variable.get_mut((msr - VARIABLE) as usize)?, ok)
            }
            _ => {
                let index = FIXED.iter().position(|fixed| *fixed == msr)?;
                let ok = value
                    .to_le_bytes()
                    .iter()
                    .all(|kind| is_type((*kind).into()));
                (self.fixed.get_mut(index)?, ok)
            }
        };
        if ok {
            *slot = value;
        }
        Some(ok)
    }

    /// As a record, with the page attribute table `pat`.
    pub fn save(&self, pat: u64) -> HvmHwMtrr {
        HvmHwMtrr {
            msr_pat_cr: pat,
            msr_mtrr_var: self.variable,
            msr_mtrr_fixed: self.fixed,
            msr_mtrr_cap: CAP_VALUE,
            msr_mtrr_def_type: self.def_type,
        }
    }

    /// Takes a record over. `None` for values that the registers cannot have.
    pub fn restore(record: &HvmHwMtrr, bits: u32) -> Option<Mtrr> {
        let mut new = Mtrr::default();
        let variable = (VARIABLE..).zip(record.msr_mtrr_var);
        let fixed = FIXED.into_iter().zip(record.msr_mtrr_fixed);
        let rest = [(DEF_TYPE, record.msr_mtrr_def_type)];
        for (msr, value) in variable.chain(fixed).chain(rest) {
            new.write(msr, value, bits).filter(|ok| *ok)?;
        }
        // More ranges than there are would be lost.
        (record.msr_mtrr_cap & 0xff <= u64::from(RANGES)).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_take_what_a_processor_takes() {
        let mut mtrr = Mtrr::default();
        assert_eq!(mtrr.read(CAP), Some(0x508));
        assert_eq!(mtrr.write(CAP, 0x508, 40), Some(false));
        for (msr, value, ok) in [
            (DEF_TYPE, 0xc06, true),
            (DEF_TYPE, 0xc02, false),
            (DEF_TYPE, 0x1c06, false),
            (0x200, 0xff_ffff_f006, true),
            (0x200, 0x100_0000_0006, false),
            (0x200, 0x1006 | 1 << 8, false),
            (0x201, 0xff_0000_0800, true),
            (0x201, 0xff_0000_0801, false),
            (0x20f, 0, true),
            (0x250, 0x0606_0606_0606_0606, true),
            (0x250, 0x0706_0606_0606_0606, false),
        ] {
            let before = mtrr.read(msr);
            assert_eq!(mtrr.write(msr, value, 40), Some(ok), "{msr:#x} {value:#x}");
            assert_eq!(mtrr.read(msr), if ok { Some(value) } else { before });
        }
        for none in [0x210, 0x251, 0x270] {
            assert_eq!((mtrr.read(none), mtrr.write(none, 0, 40)), (None, None));
        }
        let record = mtrr.save(7);
        assert_eq!(Mtrr::restore(&record, 40), Some(mtrr));
        assert_eq!(Mtrr::restore(&record, 36), None);
    }
}
