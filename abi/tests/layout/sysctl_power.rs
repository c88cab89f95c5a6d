//! Layouts of `sysctl::power`, as a C compiler lays out the public headers.

use xen_abi::sysctl::power::*;

layouts! {
    PmPxStat: 24 { total: 0, usable: 1, last: 2, cur: 3, trans_pt: 8, pt: 16 }
    PmCxStat: 56 { nr: 0, last: 4, idle_time: 8, triggers: 16, residencies: 24, nr_pc: 32, nr_cc: 36, pc: 40, cc: 48 }
    SysctlGetPmstat: 64 { r#type: 0, cpuid: 4, u: 8 }
    PmPxVal: 24 { freq: 0, residency: 8, count: 16 }
    Userspace: 4 { scaling_setspeed: 0 }
    Ondemand: 16 { sampling_rate_max: 0, sampling_rate_min: 4, sampling_rate: 8, up_threshold: 12 }
    GetCpufreqParaS: 44 { scaling_cur_freq: 0, scaling_governor: 4, scaling_max_freq: 20, scaling_min_freq: 24, u: 28 }
    CppcPara: 40 { features: 0, lowest: 4, lowest_nonlinear: 8, nominal: 12, highest: 16, minimum: 20, maximum: 24, desired: 28, energy_perf: 32, activity_window: 36 }
    GetCpufreqPara: 120 { cpu_num: 0, freq_num: 4, gov_num: 8, affected_cpus: 16, scaling_available_frequencies: 24, scaling_available_governors: 32, scaling_driver: 40, cpuinfo_cur_freq: 56, cpuinfo_max_freq: 60, cpuinfo_min_freq: 64, u: 68, turbo_enabled: 112 }
    SetCpufreqGov: 16 { scaling_governor: 0 }
    SetCpufreqPara: 8 { ctrl_type: 0, ctrl_value: 4 }
    SetCppcPara: 24 { set_params: 0, minimum: 4, maximum: 8, desired: 12, energy_perf: 16, activity_window: 20 }
    SysctlPmOp: 128 { cmd: 0, cpuid: 4, u: 8 }
}
