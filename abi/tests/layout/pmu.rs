//! Layouts of `pmu`, as a C compiler lays out the public headers.

use xen_abi::pmu::*;

layouts! {
    PmuParamsVersion: 8 { maj: 0, min: 4 }
    PmuParams: 24 { version: 0, val: 8, vcpu: 16, pad: 20 }
    PmuRegs: 32 { ip: 0, sp: 8, flags: 16, cs: 24, ss: 26, cpl: 28, pad: 29 }
    PmuAmdCtxt: 8 { counters: 0, ctrls: 4 }
    PmuIntelCtxt: 64 { fixed_counters: 0, arch_counters: 4, global_ctrl: 8, global_ovf_ctrl: 16, global_status: 24, fixed_ctrl: 32, ds_area: 40, pebs_enable: 48, debugctl: 56 }
    PmuArch: 208 { r: 0, pmu_flags: 64, l: 72, c: 80 }
    PmuData: 224 { vcpu_id: 0, pcpu_id: 4, domain_id: 8, pad: 10, pmu: 16 }
    PmuCntrPair: 16 { counter: 0, control: 8 }
}
