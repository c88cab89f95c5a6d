//! CPUID as PV guests are meant to see it: the processor's, less what does not work in ring 3
//! or is the hypervisor's, with the hypervisor's own leaves at 0x40000000.

use crate::cx::Cx;
use machine::CpuApi;

/// First leaf of the hypervisor's own.
const BASE: u32 = 0x4000_0000;
/// Number of leaves after it.
const LEAVES: u32 = 5;
/// Highest basic leaf passed on.
const MAX_BASIC: u32 = 0xd;
/// Highest extended leaf passed on.
const MAX_EXTENDED: u32 = 0x8000_0021;

// Which features PV guests may have: the ones marked so in Xen's public cpufeatureset.h.
const F_1D: u32 = 0x1fc9_cbf5;
const F_1C: u32 = 0xf6d8_3203;
const F_E1D: u32 = 0xea50_0800;
const F_E1C: u32 = 0x4421_09e3;
const F_DA1: u32 = 0x7;
const F_7B0: u32 = 0xf1af_0b29;
const F_7C0: u32 = 0x0240_5f43;
const F_E8B: u32 = 0x6400_1005;
// Less IBRSB, STIBP, L1D_FLUSH, ARCH_CAPS and SSBD, whose registers guests do not have yet.
const F_7D0: u32 = 0xac80_4410 & !(0x3f << 26);
const F_7A1: u32 = 0x0080_1c37;
const F_E21A: u32 = 0x781c_0c65;
/// Features of leaf 1 EDX that AMD repeats in 0x80000001 EDX.
const COMMON_1D: u32 = 0x0183_f3ff;

const OSXSAVE: u32 = 1 << 27;
const CR4_OSXSAVE: u64 = 1 << 18;
const HYPERVISOR: u32 = 1 << 31;

/// Leaf `leaf`, subleaf `sub`, as EAX, EBX, ECX, EDX.
pub fn leaf(cx: &Cx, leaf: u32, sub: u32) -> [u32; 4] {
    if leaf & 0xffff_0000 == BASE {
        return own(cx, leaf, sub);
    }
    let top = if leaf & 0x8000_0000 != 0 {
        MAX_EXTENDED
    } else {
        MAX_BASIC
    };
    let there = cx.cpu.cpuid(leaf & 0x8000_0000, 0)[0].min(top);
    if leaf > there {
        return [0; 4];
    }
    let [a, b, c, d] = cx.cpu.cpuid(leaf, sub);
    match leaf {
        0 | 0x8000_0000 => [there, b, c, d],
        1 => {
            let mut c = c & F_1C & !OSXSAVE | HYPERVISOR;
            // PV kernels look for this before they set CR4 themselves.
            if cx.cpu.control_regs().1 & CR4_OSXSAVE != 0 {
                c |= OSXSAVE;
            }
            // All PV vCPUs read the same APIC id: they are of one package.
            [a, b & 0x00ff_ffff, c, d & F_1D]
        }
        7 => match sub {
            0 => [a.min(2), b & F_7B0, c & F_7C0, d & F_7D0],
            1 => [a & F_7A1, 0, 0, 0],
            _ => [0; 4],
        },
        // Power management, performance counters, MONITOR, topology: the hypervisor's.
        5 | 6 | 9 | 0xa | 0xb => [0; 4],
        0xd => match sub {
            // Components that the guest's XCR0 may have: no protection keys, no tiles.
            0 => [a & 0xe7, b, c, 0],
            1 => [a & F_DA1, 0, 0, 0],
            2..=7 if 0xe7 >> sub & 1 != 0 => [a, b, c, d],
            _ => [0; 4],
        },
        0x8000_0001 => [a, b, c & F_E1C, d & (F_E1D | F_1D & COMMON_1D)],
        0x8000_0007 => [0, 0, 0, d & 1 << 8],
        0x8000_0008 => [a, b & F_E8B, c, 0],
        0x8000_0021 => [a & F_E21A, 0, 0, 0],
        // SVM and what follows it, monitoring.
        0x8000_000a | 0x8000_001b | 0x8000_001c | 0x8000_001f | 0x8000_0020 => [0; 4],
        _ => [a, b, c, d],
    }
}

/// The hypervisor's own leaves (Xen's public arch-x86/cpuid.h).
fn own(cx: &Cx, leaf: u32, sub: u32) -> [u32; 4] {
    let (mul, shift, khz) = cx.cpu.tsc_scale();
    match leaf - BASE {
        // "XenVMMXenVMM"
        0 => [BASE + LEAVES, 0x566e_6558, 0x6558_4d4d, 0x4d4d_566e],
        1 => [4 << 16 | 20, 0, 0, 0],
        // One hypercall page by MSR 0x40000000; accessed and dirty bits can be preserved.
        2 => [1, 0x4000_0000, 1, 0],
        3 => match sub {
            0 => [0, 0, khz as u32, 0],
            1 => [0, 0, mul, shift as u32],
            2 => [khz as u32, 0, 0, 0],
            _ => [0; 4],
        },
        5 => [0, 52.min(cx.cpu.cpuid(0x8000_0008, 0)[0] & 0xff), 0, 0],
        _ => [0; 4],
    }
}
