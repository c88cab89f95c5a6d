//! CPUID as hardware-virtualised guests see it.

use super::control::CR4_OSXSAVE;
use crate::cx::Cx;
use machine::CpuApi;
use machine::hvm::{HvmApi, Reg};

const BASE: u32 = 0x4000_0000;
const LEAVES: u32 = 5;
const MAX_BASIC: u32 = 0xd;
const MAX_EXTENDED: u32 = 0x8000_0021;

// What a PV guest may have, and what works in a virtual machine besides: VME, PSE, PGE, PSE36;
// x2APIC; SMEP, SMAP; 1 GiB pages. Not what has registers that are not switched: RDTSCP, PCID,
// protection keys.
const F_1D: u32 = 0x1fc9_cbf5 | 1 << 1 | 1 << 3 | 1 << 13 | 1 << 17;
const F_1C: u32 = 0xf6d8_3203 & !(1 << 17) | 1 << 21;
const F_E1D: u32 = 0xea50_0800 & !(1 << 27) | 1 << 26;
const F_E1C: u32 = 0x4421_09e3;
const F_7B0: u32 = 0xf1af_0b29 & !(1 << 10) | 1 << 7 | 1 << 20;
const F_7C0: u32 = 0x0240_5f43 & !(1 << 22);
const F_7D0: u32 = 0xac80_4410 & !(0x3f << 26);
const F_7A1: u32 = 0x0080_1c37;
const F_DA1: u32 = 0x7;
const F_E8B: u32 = 0x6400_1005 & !(7 << 12);
const F_E21A: u32 = 0x781c_0c65;
const COMMON_1D: u32 = 0x0183_f3ff;

const OSXSAVE: u32 = 1 << 27;
const X2APIC: u32 = 1 << 21;
const HYPERVISOR: u32 = 1 << 31;
/// Components of XCR0 that guests may have.
pub const XCR0: u64 = 0xe7;

/// Leaf `leaf`, subleaf `sub`, as EAX, EBX, ECX, EDX.
pub fn leaf(cx: &Cx, leaf: u32, sub: u32) -> [u32; 4] {
    if leaf & 0xffff_0000 == BASE {
        return own(cx, leaf, sub);
    }
    let (kind, top) = match leaf >> 28 {
        0 => (0, MAX_BASIC),
        8 => (0x8000_0000, MAX_EXTENDED),
        _ => return [0; 4],
    };
    let there = cx.cpu.cpuid(kind, 0)[0].min(top);
    if leaf > there {
        return [0; 4];
    }
    let [a, b, c, d] = cx.cpu.cpuid(leaf, sub);
    let hvm = cx.st.hvm.as_ref();
    match leaf {
        0 | 0x8000_0000 => [there, b, c, d],
        1 => {
            let mut c = c & F_1C | X2APIC | HYPERVISOR;
            c &= !OSXSAVE;
            if hvm.is_some_and(|hvm| hvm.state.get(Reg::Cr4) & CR4_OSXSAVE != 0) {
                c |= OSXSAVE;
            }
            let id = hvm.map_or(0, |hvm| hvm.lapic.id());
            [a, b & 0x00ff_ffff | id << 24, c, d & F_1D]
        }
        7 => match sub {
            0 => [a.min(2), b & F_7B0, c & F_7C0, d & F_7D0],
            1 => [a & F_7A1, 0, 0, 0],
            _ => [0; 4],
        },
        5 | 6 | 9 | 0xa | 0xb => [0; 4],
        0xd => match sub {
            0 => [a & XCR0 as u32, b, c, 0],
            1 => [a & F_DA1, 0, 0, 0],
            2..=7 if XCR0 >> sub & 1 != 0 => [a, b, c, d],
            _ => [0; 4],
        },
        0x8000_0001 => [a, b, c & F_E1C, d & (F_E1D | F_1D & COMMON_1D)],
        0x8000_0007 => [0, 0, 0, d & 1 << 8],
        0x8000_0008 => [a & 0xffff, b & F_E8B, 0, 0],
        0x8000_0021 => [a & F_E21A, 0, 0, 0],
        0x8000_000a | 0x8000_001b | 0x8000_001c | 0x8000_001e..=0x8000_0020 => [0; 4],
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
        // One hypercall page, by its MSR.
        2 => [1, super::msr::HYPERCALL_PAGE, 0, 0],
        3 => match sub {
            0 => [0, 0, khz as u32, 0],
            1 => [0, 0, mul, shift as u32],
            2 => [khz as u32, 0, 0, 0],
            _ => [0; 4],
        },
        // The vCPU's and the domain's numbers; a vector for upcalls of each vCPU.
        4 => [1 << 3 | 1 << 4 | 1 << 6, cx.vcpu.id, cx.dom.id.into(), 0],
        5 => [0, 52.min(cx.cpu.cpuid(0x8000_0008, 0)[0] & 0xff), 0, 0],
        _ => [0; 4],
    }
}
