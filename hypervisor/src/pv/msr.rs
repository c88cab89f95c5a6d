//! Model-specific registers as PV guests may read and write them. What is not here is a #GP.

use crate::cx::Cx;
use machine::CpuApi;
use machine::cpu::SegBase;

const APIC_BASE: u32 = 0x1b;
const PLATFORM_ID: u32 = 0x17;
const UCODE_REV: u32 = 0x8b;
const MTRR_CAP: u32 = 0xfe;
const MISC_ENABLE: u32 = 0x1a0;
const MTRR_FIRST: u32 = 0x200;
const MTRR_LAST: u32 = 0x20f;
const MTRR_FIXED: [u32; 11] = [
    0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
];
const PAT: u32 = 0x277;
const MTRR_DEF_TYPE: u32 = 0x2ff;
const EFER: u32 = 0xc000_0080;
const STAR: u32 = 0xc000_0081;
const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
const KERNEL_GS_BASE: u32 = 0xc000_0102;
const AMD_PATCH: u32 = 0xc001_0020;
const HWCR: u32 = 0xc001_0015;
const NB_CFG: u32 = 0xc001_001f;
const DE_CFG: u32 = 0xc001_1029;

/// Machine check: a guest has two banks, in which nothing ever happens (what happens to the
/// machine is the hypervisor's to handle).
const MCG_CAP: u32 = 0x179;
const MCG_STATUS: u32 = 0x17a;
const MCG_CTL: u32 = 0x17b;
/// Machine-check banks of a guest.
pub const MC_BANKS: u32 = 2;
const MC_FIRST: u32 = 0x400;
const MC_LAST: u32 = MC_FIRST + 4 * MC_BANKS - 1;

/// PAT as the hypervisor programs it, and as guests have to use it.
const PAT_VALUE: u64 = 0x0005_0100_0704_0606;

/// Reads an MSR. `None` is a #GP.
pub fn read(cx: &Cx, msr: u32) -> Option<u64> {
    match msr {
        FS_BASE => Some(cx.cpu.seg_base(SegBase::Fs)),
        GS_BASE => Some(cx.cpu.seg_base(SegBase::Gs)),
        KERNEL_GS_BASE => Some(cx.cpu.seg_base(SegBase::OtherGs)),
        // The guest's own SVM stays off.
        EFER => cx.cpu.rdmsr(EFER).map(|value| value & !(1 << 12)),
        APIC_BASE => {
            let boot = if cx.vcpu.id == 0 { 1 << 8 } else { 0 };
            cx.cpu
                .rdmsr(APIC_BASE)
                .map(|value| value & !0xd00 | 0x800 | boot)
        }
        PAT => cx.cpu.rdmsr(PAT).or(Some(PAT_VALUE)),
        PLATFORM_ID | UCODE_REV | MISC_ENABLE | HWCR | NB_CFG | DE_CFG => cx.cpu.rdmsr(msr),
        MCG_CAP => Some(cx.st.vmce.caps),
        MCG_STATUS => Some(0),
        // Of a bank's registers CTL reads as all errors enabled.
        MC_FIRST..=MC_LAST => Some(if msr & 3 == 0 { u64::MAX } else { 0 }),
        MTRR_CAP | MTRR_DEF_TYPE => mtrr(cx, msr),
        MTRR_FIRST..=MTRR_LAST => mtrr(cx, msr),
        _ if MTRR_FIXED.contains(&msr) => mtrr(cx, msr),
        _ => None,
    }
}

/// Memory types may be looked at by the control domain.
fn mtrr(cx: &Cx, msr: u32) -> Option<u64> {
    cx.dom.privileged.then(|| cx.cpu.rdmsr(msr)).flatten()
}

/// Writes an MSR. `false` is a #GP.
pub fn write(cx: &mut Cx, msr: u32, value: u64) -> bool {
    match msr {
        FS_BASE => cx.cpu.set_seg_base(SegBase::Fs, value),
        GS_BASE => cx.cpu.set_seg_base(SegBase::Gs, value),
        KERNEL_GS_BASE => cx.cpu.set_seg_base(SegBase::OtherGs, value),
        // Writing what is there already is harmless, and kernels do it.
        EFER | STAR | PAT | APIC_BASE | MISC_ENABLE | HWCR | NB_CFG | DE_CFG | AMD_PATCH => {
            read(cx, msr) == Some(value)
        }
        UCODE_REV => true,
        MCG_STATUS | MCG_CTL => true,
        // CTL takes anything; the others can only be cleared.
        MC_FIRST..=MC_LAST => msr & 3 == 0 || value == 0,
        _ => false,
    }
}
