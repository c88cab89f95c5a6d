//! Policies made of made-up processors, and the calls on them.

use super::policy::*;
use super::wire::{MAX_LEAVES, MAX_MSRS};
use super::*;
use crate::control::{domctl, sysctl};
use crate::cx::Cx;
use crate::fail::Fail;
use crate::testing::{TestDomain, World, call};
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::arch_x86::cpufeatureset::*;
use xen_abi::arch_x86::{CpuidLeaf, MsrEntry, XEN_CPUID_NO_SUBLEAF};
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

fn sys<T>(cx: &mut Cx, cmd: u32, arm: &mut T) -> crate::fail::HyperResult
where
    T: zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable,
{
    let mut op = Sysctl {
        cmd,
        interface_version: XEN_SYSCTL_INTERFACE_VERSION,
        ..Default::default()
    };
    op.set_arm(arm);
    let result = call(cx, &mut op, |cx, arg| sysctl::call(cx, [arg]));
    *arm = op.arm();
    result
}

fn dom(cx: &mut Cx, cmd: u32, domain: u16, arm: &mut DomctlCpuPolicy) -> crate::fail::HyperResult {
    let mut op = Domctl {
        cmd,
        interface_version: XEN_DOMCTL_INTERFACE_VERSION,
        domain,
        ..Default::default()
    };
    op.set_arm(arm);
    let result = call(cx, &mut op, |cx, arg| domctl::call(cx, [arg]));
    *arm = op.arm();
    result
}

fn errno(errno: Errno) -> crate::fail::HyperResult {
    Err(Fail::Errno(errno))
}

/// A world with dom0 and a domU, and dom0's context.
fn in_dom0(f: impl FnOnce(&mut Cx, &TestDomain, &TestDomain)) {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let domu = world.domain(1, false, 1);
    world.on(&dom0, 0, 0, |cx| f(cx, &dom0, &domu));
}

#[test]
fn each_feature_stands_in_one_word_of_a_policy() {
    let mut p = Policy::empty();
    for word in 0..WORDS {
        let mut set = FeatureSet::default();
        set.0[word] = 1 << word;
        p.set_features(&set);
        assert_eq!(p.features(), set);
    }
    assert_eq!(p.extended[0x21][ECX], 1 << 18);
}

#[test]
fn what_needs_a_missing_feature_goes_too() {
    let mut set = marks::KNOWN;
    set.settle();
    assert_eq!(set, marks::KNOWN);
    set.set(XEN_X86_FEATURE_XSAVE, false);
    set.settle();
    for gone in [
        XEN_X86_FEATURE_AVX,
        XEN_X86_FEATURE_AVX2,
        XEN_X86_FEATURE_AVX512F,
        XEN_X86_FEATURE_AVX512_BF16,
        XEN_X86_FEATURE_XSAVEOPT,
    ] {
        assert!(!set.has(gone), "{gone}");
    }
    assert!(set.has(XEN_X86_FEATURE_SSE4_2) && set.has(XEN_X86_FEATURE_ITS_NO));
    set.set(XEN_X86_FEATURE_ARCH_CAPS, false);
    set.settle();
    assert_eq!(set.0[16..18], [0, 0]);
}

#[test]
fn default_is_within_max_and_max_within_the_host() {
    let world = World::new(1);
    let machine = &world.machine;
    // Everything, of Intel.
    machine.set_cpuid(0, 0, [0x1f, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]);
    machine.set_cpuid(1, 0, [0x306a9, 0x0510_0800, u32::MAX, u32::MAX]);
    for (sub, regs) in (0..).zip([[2, !0, !0, !0], [!0; 4], [!0; 4]]) {
        machine.set_cpuid(7, sub, regs);
    }
    machine.set_cpuid(0xd, 0, [0x6_02e7, 832, 11000, 0]);
    machine.set_cpuid(0xd, 1, [0x1f, 832, 0x100, 0]);
    for (state, regs) in [(2, [256, 576]), (5, [64, 1088]), (9, [8, 2688])] {
        machine.set_cpuid(0xd, state, [regs[0], regs[1], 3, 0]);
    }
    machine.set_cpuid(EXTENDED, 0, [0x8000_0008, 0, 0, 0]);
    machine.set_cpuid(EXTENDED + 1, 0, [0, 0, !0, !0]);
    machine.set_cpuid(EXTENDED + 8, 0, [57 << 8 | 52, 0, 0, 0]);
    let all = Policies::new(&machine.cpu(0), true);
    let hvm = all.hvm.as_ref().unwrap();
    let (hvm_max, hvm_default) = (&hvm.max, &hvm.default);
    for (max, default) in [(&all.pv_max, &all.pv_default), (hvm_max, hvm_default)] {
        assert_eq!(build::check(default, max), Ok(()));
        let mut within = default.features();
        within.keep(&max.features());
        assert_eq!(within, default.features());
        // What the tools read back they can set, and it does not change.
        let mut again = Policy::clone(default);
        build::constrain(&mut again, &all.raw, max);
        assert_eq!(again, **default);
    }
    let pv = all.pv_default.features();
    for (feature, on) in [
        (XEN_X86_FEATURE_AVX512F, true),
        (XEN_X86_FEATURE_HYPERVISOR, true),
        (XEN_X86_FEATURE_VMX, false),
        (XEN_X86_FEATURE_PCID, false),
        (XEN_X86_FEATURE_SMEP, false),
        (XEN_X86_FEATURE_OSXSAVE, false),
        (XEN_X86_FEATURE_ITSC, false),
        (XEN_X86_FEATURE_HLE, false),
        (XEN_X86_FEATURE_SSBD, false),
        (XEN_X86_FEATURE_ARCH_CAPS, false),
    ] {
        assert_eq!(pv.has(feature), on, "{feature}");
    }
    assert!(all.pv_max.features().has(XEN_X86_FEATURE_HLE));
    assert_eq!(all.pv_default.extended[8][EAX], 48 << 8 | 52);
    assert!(hvm_default.features().has(XEN_X86_FEATURE_SMEP));
    // No protection keys and no tiles for PV; sizes follow.
    assert_eq!(all.pv_default.xstate[0], [0xe7, 0, 1152, 0]);
    assert_eq!(all.pv_default.xstate[2], [256, 576, 2, 0]);
    assert_eq!(all.pv_default.xstate[9], [0; 4]);
    // Nor for others, whose registers of them are not switched.
    assert_eq!(hvm_default.xstate[0], [0xe7, 0, 1152, 0]);
    // The processor says more than a policy has room for; raw keeps what it says.
    assert_eq!(all.raw.basic[0][EAX], 0x1f);
    assert_eq!(all.host.basic[0][EAX], MAX_BASIC);
    let mut leaves = 0;
    let count = all.raw.leaves(|_| {
        leaves += 1;
        Ok(())
    });
    assert_eq!(count, Ok(()));
    assert!(leaves <= MAX_LEAVES);
}

#[test]
fn amd_repeats_and_hides() {
    let world = World::new(1);
    let machine = &world.machine;
    machine.set_cpuid(0, 0, [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65]);
    machine.set_cpuid(1, 0, [0x800f12, 0x0510_0800, 0x0000_2201, 0x078b_fbff]);
    machine.set_cpuid(
        EXTENDED,
        0,
        [0x8000_0021, 0x6874_7541, 0x444d_4163, 0x6974_6e65],
    );
    machine.set_cpuid(EXTENDED + 1, 0, [0x800f12, 0, 0x65, 0x2fd3_fbff]);
    machine.set_cpuid(EXTENDED + 0xa, 0, [1, 16, 0, 1]);
    machine.set_cpuid(EXTENDED + 0x1e, 0, [7; 4]);
    let all = Policies::new(&machine.cpu(0), true);
    let pv = &all.pv_default;
    assert_eq!(pv.vendor(), Vendor::Amd);
    assert_eq!(pv.extended[0][1..], [0x6874_7541, 0x444d_4163, 0x6974_6e65]);
    // FXSR is marked for all and repeated; VME is not for PV.
    assert_eq!(pv.extended[1][EDX] & (1 << 24 | 2), 1 << 24);
    assert_eq!((pv.extended[0xa], pv.extended[0x1e]), ([0; 4], [0; 4]));
    assert_eq!(all.hvm.unwrap().max.extended[0xa], [0; 4]);
}

#[test]
fn the_tools_read_policies_in_two_steps() {
    in_dom0(|cx, dom0, _| {
        let mut arm = SysctlCpuPolicy {
            index: XEN_SYSCTL_cpu_policy_pv_max,
            ..Default::default()
        };
        assert_eq!(sys(cx, XEN_SYSCTL_get_cpu_policy, &mut arm), Ok(0));
        assert_eq!((arm.nr_leaves, arm.nr_msrs), (MAX_LEAVES, MAX_MSRS));
        (arm.leaves, arm.msrs) = (dom0.va(0, 0), dom0.va(1, 0));
        assert_eq!(sys(cx, XEN_SYSCTL_get_cpu_policy, &mut arm), Ok(0));
        let written = arm.nr_leaves;
        assert!((20..=MAX_LEAVES).contains(&written));
        let mut first = [0u8; 12];
        assert!(dom0.data[0].read(0, &mut first));
        assert_eq!(first[4..], [0xff, 0xff, 0xff, 0xff, 0xd, 0, 0, 0]);
        let get = XEN_SYSCTL_get_cpu_policy;
        arm.nr_leaves = written - 1;
        assert_eq!(sys(cx, get, &mut arm), errno(Errno::ENOBUFS));
        arm.nr_leaves = written;
        arm.nr_msrs = 1;
        assert_eq!(sys(cx, get, &mut arm), errno(Errno::ENOBUFS));
        arm.nr_msrs = 2;
        arm.leaves = 8;
        assert_eq!(sys(cx, get, &mut arm), errno(Errno::EFAULT));
        arm.index = XEN_SYSCTL_cpu_policy_hvm_default;
        (arm.leaves, arm.nr_leaves) = (dom0.va(0, 0), MAX_LEAVES);
        assert_eq!(sys(cx, get, &mut arm), Ok(0));
        arm.index = 6;
        assert_eq!(sys(cx, get, &mut arm), errno(Errno::EINVAL));
    });
}

#[test]
fn feature_sets_are_cut_to_the_room_there_is() {
    in_dom0(|cx, dom0, _| {
        let get = XEN_SYSCTL_get_cpu_featureset;
        let mut arm = SysctlCpuFeatureset::default();
        assert_eq!(sys(cx, get, &mut arm), Ok(0));
        assert_eq!(arm.nr_features, WORDS as u32);
        arm.features = dom0.va(0, 0);
        arm.index = XEN_SYSCTL_cpu_featureset_pv;
        assert_eq!(sys(cx, get, &mut arm), Ok(0));
        let want = cx.hv.policies.pv_default.features().0[1];
        assert_eq!(
            dom0.data[0]
                .u32_at(4)
                .unwrap()
                .load(core::sync::atomic::Ordering::Relaxed),
            want
        );
        arm.nr_features = 1;
        assert_eq!(sys(cx, get, &mut arm), errno(Errno::ENOBUFS));
        assert_eq!(arm.nr_features, 1);
        arm.index = 9;
        assert_eq!(sys(cx, get, &mut arm), errno(Errno::EINVAL));
        let mut caps = SysctlCpuLevellingCaps { caps: 7 };
        assert_eq!(sys(cx, XEN_SYSCTL_get_cpu_levelling_caps, &mut caps), Ok(0));
        assert_eq!(caps.caps, 0);
    });
}

fn put(page: &machine::Page, at: usize, leaf: CpuidLeaf) {
    assert!(page.write(at * 24, zerocopy::IntoBytes::as_bytes(&leaf)));
}

#[test]
fn a_domain_has_what_the_tools_set_until_it_runs() {
    in_dom0(|cx, dom0, domu| {
        let mut arm = DomctlCpuPolicy {
            nr_leaves: MAX_LEAVES,
            nr_msrs: MAX_MSRS,
            leaves: dom0.va(0, 0),
            msrs: dom0.va(1, 0),
            ..Default::default()
        };
        // As libxl does: all read, all written back.
        assert_eq!(dom(cx, XEN_DOMCTL_get_cpu_policy, 1, &mut arm), Ok(0));
        let set = XEN_DOMCTL_set_cpu_policy;
        assert_eq!(dom(cx, set, 1, &mut arm), Ok(0));
        assert_eq!(domu.dom.chosen_cpu_policy(cx.hv), cx.hv.policies.pv_default);
        // A feature less, and one more than there can be.
        let [a, b, c, d] = cx.hv.policies.pv_default.basic[1];
        let one = CpuidLeaf {
            leaf: 1,
            subleaf: XEN_CPUID_NO_SUBLEAF,
            a,
            b,
            c: c & !(1 << 23) | 1 << 5,
            d,
        };
        put(&dom0.data[0], 0, one);
        (arm.nr_leaves, arm.nr_msrs) = (1, 0);
        assert_eq!(dom(cx, set, 1, &mut arm), Ok(0));
        let chosen = domu.dom.chosen_cpu_policy(cx.hv);
        assert_eq!(chosen.basic[1][ECX], c & !(1 << 23));
        assert_eq!(dom(cx, set, 0, &mut arm), errno(Errno::EINVAL));
        assert_eq!(dom(cx, set, 9, &mut arm), errno(Errno::ESRCH));
        assert_eq!(*domu.dom.cpu_policy(cx.hv), *chosen);
        assert_eq!(dom(cx, set, 1, &mut arm), errno(Errno::EEXIST));
    });
}

#[test]
fn a_wrong_policy_is_refused_with_its_culprit() {
    in_dom0(|cx, dom0, domu| {
        let page = &dom0.data[0];
        let blank = |leaf, subleaf, a| CpuidLeaf {
            leaf,
            subleaf,
            a,
            ..Default::default()
        };
        const NO: u32 = XEN_CPUID_NO_SUBLEAF;
        let before = domu.dom.chosen_cpu_policy(cx.hv);
        for (leaf, want) in [
            (blank(0xe, NO, 0), Errno::ERANGE),
            (blank(1, 0, 0), Errno::ERANGE),
            (blank(4, 6, 0), Errno::ERANGE),
            (blank(7, NO, 0), Errno::ERANGE),
            (blank(0xb, 2, 0), Errno::ERANGE),
            (blank(0xd, 63, 0), Errno::ERANGE),
            (blank(0x4000_0000, 0, 0), Errno::ERANGE),
            (blank(0x4000_0001, NO, 0), Errno::ERANGE),
            (blank(0x8000_0022, NO, 0), Errno::ERANGE),
            (blank(u32::MAX, NO, 0), Errno::ERANGE),
            (blank(0, NO, 0xe), Errno::EINVAL),
            (blank(7, 0, 3), Errno::EINVAL),
            (blank(0x8000_0000, NO, 0x8000_0022), Errno::EINVAL),
        ] {
            put(page, 0, leaf);
            let mut arm = DomctlCpuPolicy {
                nr_leaves: 1,
                leaves: dom0.va(0, 0),
                ..Default::default()
            };
            let result = dom(cx, XEN_DOMCTL_set_cpu_policy, 1, &mut arm);
            assert_eq!(result, errno(want), "{leaf:x?}");
            let culprit = (arm.err_leaf, arm.err_subleaf, arm.err_msr);
            assert_eq!(culprit, (leaf.leaf, leaf.subleaf, u32::MAX));
        }
        for (idx, flags, val, want) in [
            (0x10b, 0, 0, Errno::ERANGE),
            (0xce, 1, 0, Errno::EINVAL),
            (0xce, 0, 1 << 40, Errno::EOVERFLOW),
            (0xce, 0, 1 << 31, Errno::EINVAL),
        ] {
            let entry = MsrEntry { idx, flags, val };
            assert!(page.write(0, zerocopy::IntoBytes::as_bytes(&entry)));
            let mut arm = DomctlCpuPolicy {
                nr_msrs: 1,
                msrs: dom0.va(0, 0),
                ..Default::default()
            };
            let result = dom(cx, XEN_DOMCTL_set_cpu_policy, 1, &mut arm);
            assert_eq!(result, errno(want), "{entry:x?}");
            assert_eq!((arm.err_leaf, arm.err_msr), (u32::MAX, idx));
        }
        let mut arm = DomctlCpuPolicy {
            nr_leaves: MAX_LEAVES + 1,
            ..Default::default()
        };
        let result = dom(cx, XEN_DOMCTL_set_cpu_policy, 1, &mut arm);
        assert_eq!(result, errno(Errno::E2BIG));
        assert_eq!(domu.dom.chosen_cpu_policy(cx.hv), before);
    });
}

#[test]
fn cpuid_answers_from_the_domains_policy() {
    in_dom0(|cx, _, _| {
        let ask = |cx: &Cx, leaf, sub| guest::cpuid(cx, leaf, sub);
        let max = ask(cx, 0, 0)[EAX];
        for beyond in [
            max + 1,
            0x3fff_ffff,
            0x4000_0006,
            0x4000_0100,
            0x9000_0000,
            !0,
        ] {
            assert_eq!(ask(cx, beyond, 0), [0; 4], "{beyond:x}");
        }
        // 2 << 26 is OSXSAVE, by CR4.
        assert_eq!(ask(cx, 1, 0)[ECX] >> 26 & 3, 3);
        assert_ne!(ask(cx, 1, 0)[ECX] & 1 << 31, 0);
        assert_eq!(ask(cx, 0xb, 5), [0, 0, 5, 0]);
        let [states, now, most, _] = ask(cx, 0xd, 0);
        assert_eq!((states, now, most), (7, 832, 832));
        assert_eq!(ask(cx, 0xd, 2)[..2], [256, 576]);
        assert_eq!(ask(cx, 0xd, 63), [0; 4]);
        assert_eq!(ask(cx, 0x4000_0000, 0)[EAX], 0x4000_0005);
        assert_eq!(ask(cx, 0x4000_0001, 0)[EAX], 0x4_0014);
        assert_eq!(ask(cx, 0x4000_0002, 0), [1, 0x4000_0000, 1, 0]);
        assert_eq!(ask(cx, 0x4000_0005, 0), [0, 40, 0, 0]);
    });
}

#[test]
fn cpuid_faults_where_it_can() {
    let world = World::new(1);
    world
        .machine
        .set_msr(build::PLATFORM_INFO, Some(1 << 31 | 0x55));
    world.machine.set_msr(build::MISC_FEATURES, Some(0));
    let all = Policies::new(&world.machine.cpu(0), false);
    assert!(build::has_faults(&all.host));
    // Nothing else of the register, and nothing for guests.
    assert_eq!(all.host.platform_info, 1 << 31);
    assert_eq!(all.pv_max.platform_info, 0);
    assert!(guest::start_cpu(&all, &mut world.machine.cpu(0)));
    let misc = world.machine.cpu(0).rdmsr(build::MISC_FEATURES);
    assert_eq!(misc, Some(1));
    let without = World::new(1);
    let mut cpu = without.machine.cpu(0);
    assert!(guest::start_cpu(&without.hv.policies, &mut cpu));
    assert!(!guest::start_cpu(&all, &mut cpu));
}
