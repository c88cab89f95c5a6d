//! Makes the machine's policies of what the processor says: what is there, what the hypervisor
//! uses of it, what a guest can have and what it gets.

use super::features::FeatureSet;
use super::marks;
use super::policy::*;
use machine::CpuApi;
use xen_abi::arch_x86::XEN_CPUID_NO_SUBLEAF;
use xen_abi::arch_x86::cpufeatureset::*;

/// MSR with the CPUID faulting bit.
pub const PLATFORM_INFO: u32 = 0xce;
/// MSR that says what the processor is not vulnerable to.
pub const ARCH_CAPS: u32 = 0x10a;

/// In it: CPUID in ring 3 can be made to fault, by [`MISC_FEATURES`].
const CPUID_FAULTS: u32 = 1 << 31;
/// MSR whose bit 0 does that.
pub const MISC_FEATURES: u32 = 0x140;

const CR4_OSXSAVE: u64 = 1 << 18;
/// Extended state of x87 and SSE, which XSAVE implies.
const X87_SSE: u64 = 3;
/// Bytes of the legacy area and the header of an XSAVE image.
const XSAVE_BASE: u32 = 576;

/// Bits of a linear address with page tables of four levels.
const LINEAR_BITS: u32 = 48;

/// Features of leaf 1 EDX that AMD repeats in 0x80000001 EDX.
const REPEATED_BY_AMD: u32 = 0x0183_f3ff;

/// What the processor says.
pub fn raw(cpu: &impl CpuApi) -> Policy {
    let mut p = Policy::empty();
    p.basic[0] = cpu.cpuid(0, 0);
    let max = p.max_basic();
    for (leaf, slot) in (0..=max).zip(&mut p.basic) {
        if !matches!(leaf, 4 | 7 | 0xb | 0xd) {
            *slot = cpu.cpuid(leaf, 0);
        }
    }
    let fill = |leaf: u32, slots: &mut [Regs]| {
        if leaf <= max {
            for (sub, slot) in (0..).zip(slots) {
                *slot = cpu.cpuid(leaf, sub);
            }
        }
    };
    fill(4, &mut p.cache);
    fill(7, &mut p.feature);
    fill(0xb, &mut p.topology);
    fill(0xd, &mut p.xstate);
    p.extended[0] = cpu.cpuid(EXTENDED, 0);
    if p.extended[0][EAX] < EXTENDED {
        p.extended[0] = [0; 4];
    }
    let max = p.max_extended();
    for (leaf, slot) in (0..=max).zip(&mut p.extended) {
        *slot = cpu.cpuid(EXTENDED + leaf, 0);
    }
    // The sizes for the state in use now are no property of the processor.
    p.xstate[0][EBX] = 0;
    p.xstate[1][EBX] = 0;
    let features = p.features();
    let caps = features.has(XEN_X86_FEATURE_ARCH_CAPS);
    if let Some(caps) = caps.then(|| cpu.rdmsr(ARCH_CAPS)).flatten() {
        p.arch_caps = [caps as u32, (caps >> 32) as u32];
    }
    let info = cpu.rdmsr(PLATFORM_INFO).unwrap_or(0);
    p.platform_info = info as u32 & CPUID_FAULTS;
    p.clear_beyond_limits();
    p
}

/// What the hypervisor uses of `raw`.
pub fn host(cpu: &impl CpuApi, raw: &Policy) -> Policy {
    let mut p = raw.clone();
    p.basic[0][EAX] = p.max_basic();
    p.feature[0][EAX] = p.max_feature();
    p.extended[0][EAX] = EXTENDED + p.max_extended();
    let mut features = p.features();
    features.keep(&marks::KNOWN);
    if cpu.control_regs().1 & CR4_OSXSAVE == 0 {
        features.set(XEN_X86_FEATURE_XSAVE, false);
    }
    // They follow CR4, and are added where a guest asks.
    features.set(XEN_X86_FEATURE_OSXSAVE, false);
    features.set(XEN_X86_FEATURE_OSPKE, false);
    // Not announced yet, though SYSENTER works where the processor has it in long mode.
    features.set(XEN_X86_FEATURE_SEP, false);
    features.settle();
    p.set_features(&features);
    extended_state(&mut p, raw);
    hide(&mut p);
    p.clear_beyond_limits();
    p
}

/// Features whose registers guests do not have: they would be told of measures against
/// speculation that they cannot take.
const WITHOUT_REGISTERS: [u32; 6] = [
    XEN_X86_FEATURE_IBRSB,
    XEN_X86_FEATURE_STIBP,
    XEN_X86_FEATURE_SSBD,
    XEN_X86_FEATURE_IBRS,
    XEN_X86_FEATURE_IBPB,
    XEN_X86_FEATURE_ARCH_CAPS,
];

/// Whether CPUID can be made to fault in ring 3.
pub fn has_faults(p: &Policy) -> bool {
    p.platform_info & CPUID_FAULTS != 0
}

/// The most that guests can have whose features are `allowed`.
pub fn max(raw: &Policy, host: &Policy, allowed: &FeatureSet) -> Policy {
    let mut p = host.clone();
    // It is the hypervisor's to use; guests are not offered it for their own users.
    p.platform_info = 0;
    // Room for guests from elsewhere: leaves that are not there are zero.
    p.basic[0][EAX] = MAX_BASIC;
    p.feature[0][EAX] = MAX_FEATURE;
    p.extended[0][EAX] = MAX_EXTENDED;
    p.extended[8][EAX] = p.extended[8][EAX] & !0xff00 | LINEAR_BITS << 8;
    let mut features = p.features();
    features.keep(allowed);
    for feature in WITHOUT_REGISTERS {
        features.set(feature, false);
    }
    // A guest was told that its processor's threads and its cores are numbered: the tools
    // decide that. A guest that once saw x2APIC can go on.
    for feature in [
        XEN_X86_FEATURE_HTT,
        XEN_X86_FEATURE_CMP_LEGACY,
        XEN_X86_FEATURE_X2APIC,
        XEN_X86_FEATURE_HYPERVISOR,
    ] {
        features.set(feature, true);
    }
    if p.vendor() == Vendor::Intel {
        // VERW may be executed anywhere; a guest may come from where it does something.
        features.set(XEN_X86_FEATURE_MD_CLEAR, true);
    }
    features.settle();
    p.set_features(&features);
    extended_state(&mut p, raw);
    hide(&mut p);
    if !allowed.has(XEN_X86_FEATURE_SVM) {
        p.extended[0xa] = [0; 4];
    }
    p
}

/// What guests get unless the tools say otherwise: of `max`, what is marked in `wanted`.
pub fn default(raw: &Policy, host: &Policy, max: &Policy, wanted: &FeatureSet) -> Policy {
    let mut p = max.clone();
    p.basic[0][EAX] = host.basic[0][EAX];
    p.feature[0][EAX] = host.feature[0][EAX];
    p.extended[0][EAX] = host.extended[0][EAX];
    let mut features = p.features();
    features.keep(wanted);
    let there = host.features();
    for feature in [
        XEN_X86_FEATURE_HTT,
        XEN_X86_FEATURE_CMP_LEGACY,
        XEN_X86_FEATURE_MD_CLEAR,
    ] {
        let on = features.has(feature) && there.has(feature);
        features.set(feature, on);
    }
    features.set(XEN_X86_FEATURE_HYPERVISOR, true);
    features.settle();
    p.set_features(&features);
    extended_state(&mut p, raw);
    hide(&mut p);
    p.clear_beyond_limits();
    p
}

/// The control domain's: `default`, and a time stamp counter that it knows to be constant. It
/// does not migrate.
pub fn control(host: &Policy, default: &Policy) -> Policy {
    let mut p = default.clone();
    let mut features = p.features();
    let constant = host.features().has(XEN_X86_FEATURE_ITSC);
    features.set(XEN_X86_FEATURE_ITSC, constant);
    p.set_features(&features);
    p
}

/// Brings a policy that the tools made within `max` and in order. What a guest may not see is
/// taken away; it is the tools' business to ask for what there is.
pub fn constrain(p: &mut Policy, raw: &Policy, max: &Policy) {
    let vendor = p.vendor();
    let extended = match vendor {
        Vendor::Amd => MAX_EXTENDED,
        _ => EXTENDED + 8,
    };
    p.basic[0][EAX] = p.max_basic();
    p.feature[0][EAX] = p.max_feature();
    p.extended[0][EAX] = (EXTENDED + p.max_extended()).min(extended);
    let mut features = p.features();
    features.keep(&max.features());
    if p.max_basic() < MAX_BASIC {
        features.set(XEN_X86_FEATURE_XSAVE, false);
    }
    features.set(XEN_X86_FEATURE_HYPERVISOR, true);
    features.settle();
    p.set_features(&features);
    // The size of a cache line is the machine's.
    p.basic[1][EBX] = p.basic[1][EBX] & !0xff00 | max.basic[1][EBX] & 0xff00;
    // So many address bits as there are, 36 at least, and the linear ones of four levels.
    let bits = (p.extended[8][EAX] & 0xff).min(max.extended[8][EAX] & 0xff);
    p.extended[8][EAX] = p.extended[8][EAX] & !0xffff | LINEAR_BITS << 8 | bits.max(36);
    extended_state(p, raw);
    hide(p);
    if p.extended[0xa] != max.extended[0xa] {
        p.extended[0xa] = [0; 4];
    }
    p.clear_beyond_limits();
}

/// Whether a guest with policy `p` can run where `max` is the most there is: otherwise the leaf,
/// subleaf and MSR (each all ones for none) that are too much.
pub fn check(p: &Policy, max: &Policy) -> Result<(), [u32; 3]> {
    const NONE: u32 = u32::MAX;
    if p.basic[0][EAX] > max.basic[0][EAX] {
        return Err([0, XEN_CPUID_NO_SUBLEAF, NONE]);
    }
    if p.feature[0][EAX] > max.feature[0][EAX] {
        return Err([7, 0, NONE]);
    }
    if p.extended[0][EAX] > max.extended[0][EAX] {
        return Err([EXTENDED, XEN_CPUID_NO_SUBLEAF, NONE]);
    }
    if p.platform_info & !max.platform_info != 0 {
        return Err([NONE, NONE, PLATFORM_INFO]);
    }
    Ok(())
}

/// Makes leaf 0xd of the features, with sizes and places as the processor has them.
fn extended_state(p: &mut Policy, raw: &Policy) {
    let features = p.features();
    let named = p.xstate[1][EAX];
    p.xstate = [[0; 4]; _];
    if !features.has(XEN_X86_FEATURE_XSAVE) {
        return;
    }
    let mut states = X87_SSE;
    for (feature, bits) in [
        (XEN_X86_FEATURE_AVX, 1 << 2),
        (XEN_X86_FEATURE_MPX, 3 << 3),
        (XEN_X86_FEATURE_AVX512F, 7 << 5),
        (XEN_X86_FEATURE_PKU, 1 << 9),
    ] {
        if features.has(feature) {
            states |= bits;
        }
    }
    // Compacted places may be aligned; no component is one for supervisors.
    let mut attributes = 0;
    if features.has(XEN_X86_FEATURE_XSAVEC) {
        attributes |= 2;
    }
    if features.has(XEN_X86_FEATURE_XSAVES) {
        attributes |= 1;
    }
    let mut size = XSAVE_BASE;
    for (n, (slot, from)) in p.xstate.iter_mut().zip(&raw.xstate).enumerate().skip(2) {
        if states >> n & 1 != 0 {
            let [bytes, at, flags, _] = *from;
            *slot = [bytes, at, flags & attributes, 0];
            size = size.max(at.saturating_add(bytes));
        }
    }
    p.xstate[0] = [states as u32, 0, size, (states >> 32) as u32];
    p.xstate[1] = [named, 0, 0, 0];
}

/// Takes away what is the hypervisor's or means nothing to a guest, and repeats what a vendor
/// repeats.
fn hide(p: &mut Policy) {
    // No processor type, no APIC id: that is the vCPU's.
    p.basic[1][EAX] &= 0x0fff_0fff;
    p.basic[1][EBX] &= 0x00ff_ffff;
    // MONITOR, power management, performance counters, reserved ones.
    for leaf in [5, 6, 8, 0xa, 0xc] {
        p.basic[leaf] = [0; 4];
    }
    p.topology = [[0; 4]; _];
    p.extended[1][EDX] &= !REPEATED_BY_AMD;
    let [.., d] = p.extended[7];
    p.extended[7] = [0, 0, 0, d];
    p.extended[8][EDX] = 0;
    let [_, b, c, d] = p.basic[0];
    match p.vendor() {
        Vendor::Intel => {
            p.basic[2][EAX] = p.basic[2][EAX] & !0xff | 1;
            // A serial number, direct cache access.
            p.basic[3] = [0; 4];
            p.basic[9] = [0; 4];
            p.extended[0] = [p.extended[0][EAX], 0, 0, 0];
            let [_, _, c, d] = p.extended[1];
            p.extended[1] = [0, 0, c, d];
            p.extended[5] = [0; 4];
            p.extended[6] = [0, 0, p.extended[6][ECX], 0];
            p.extended[8][EAX] &= 0xffff;
            p.extended[8][ECX] = 0;
        }
        Vendor::Amd => {
            for leaf in [2, 3, 9] {
                p.basic[leaf] = [0; 4];
            }
            p.cache = [[0; 4]; _];
            p.extended[0] = [p.extended[0][EAX], b, c, d];
            p.extended[1][EAX] = p.basic[1][EAX];
            p.extended[1][EBX] &= 0xff00_ffff;
            p.extended[1][EDX] |= p.basic[1][EDX] & REPEATED_BY_AMD;
            p.extended[8][EAX] &= 0xffff;
            p.extended[8][ECX] &= 0x0003_f0ff;
            // Between them SVM's own, TLB and performance hints: 0xa, 0x19, 0x1a.
            for leaf in [9].into_iter().chain(0xb..0x19).chain(0x1b..0x21) {
                p.extended[leaf] = [0; 4];
            }
            p.extended[0x21][EBX] = 0;
            p.extended[0x21][EDX] = 0;
        }
        Vendor::Other => {}
    }
}
