//! Processor power: statistics and frequency. `sysctl.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A type of [`SysctlGetPmstat::type`].
    u32;
    PMSTAT_CATEGORY_MASK = 0xf0;
    PMSTAT_PX = 0x10;
    PMSTAT_CX = 0x20;
    PMSTAT_get_max_px = 0x11;
    PMSTAT_get_pxstat = 0x12;
    PMSTAT_reset_pxstat = 0x13;
    PMSTAT_get_max_cx = 0x21;
    PMSTAT_get_cxstat = 0x22;
    PMSTAT_reset_cxstat = 0x23;
}

numbers! {
    /// A command of [`SysctlPmOp::cmd`].
    u32;
    PM_PARA_CATEGORY_MASK = 0xf0;
    CPUFREQ_PARA = 0x10;
    GET_CPUFREQ_PARA = 0x11;
    SET_CPUFREQ_GOV = 0x12;
    SET_CPUFREQ_PARA = 0x13;
    GET_CPUFREQ_AVGFREQ = 0x14;
    SET_CPUFREQ_CPPC = 0x15;
    XEN_SYSCTL_pm_op_set_sched_opt_smt = 0x21;
    XEN_SYSCTL_pm_op_get_max_cstate = 0x22;
    XEN_SYSCTL_pm_op_set_max_cstate = 0x23;
    XEN_SYSCTL_pm_op_set_vcpu_migration_delay = 0x24;
    XEN_SYSCTL_pm_op_get_vcpu_migration_delay = 0x25;
    XEN_SYSCTL_pm_op_enable_turbo = 0x26;
    XEN_SYSCTL_pm_op_disable_turbo = 0x27;
}

numbers! {
    /// A parameter of [`SetCpufreqPara::ctrl_type`].
    u32;
    SCALING_MAX_FREQ = 1;
    SCALING_MIN_FREQ = 2;
    SCALING_SETSPEED = 3;
    SAMPLING_RATE = 4;
    UP_THRESHOLD = 5;
}

numbers! {
    /// A flag or field of the CPPC parameters.
    u32;
    XEN_SYSCTL_CPPC_FEAT_ACT_WINDOW = 1;
    XEN_CPPC_ACT_WINDOW_MANTISSA_MASK = 0x7f;
    XEN_CPPC_ACT_WINDOW_EXPONENT_MASK = 0x380;
    XEN_SYSCTL_CPPC_SET_MINIMUM = 1;
    XEN_SYSCTL_CPPC_SET_MAXIMUM = 1 << 1;
    XEN_SYSCTL_CPPC_SET_DESIRED = 1 << 2;
    XEN_SYSCTL_CPPC_SET_ENERGY_PERF = 1 << 3;
    XEN_SYSCTL_CPPC_SET_ACT_WINDOW = 1 << 4;
    XEN_SYSCTL_CPPC_SET_PRESET_MASK = 0xf000_0000;
    XEN_SYSCTL_CPPC_SET_PRESET_NONE = 0x0;
    XEN_SYSCTL_CPPC_SET_PRESET_BALANCE = 0x1000_0000;
    XEN_SYSCTL_CPPC_SET_PRESET_POWERSAVE = 0x2000_0000;
    XEN_SYSCTL_CPPC_SET_PRESET_PERFORMANCE = 0x3000_0000;
    XEN_SYSCTL_CPPC_SET_PARAM_MASK = 0xf000_001f;
    XEN_SYSCTL_CPPC_ACT_WINDOW_MASK = 1023;
}

numbers! {
    /// No limit of the C-state.
    u32;
    XEN_SYSCTL_CX_UNLIMITED = 0xffff_ffff;
}

/// Statistics of a CPU's P-states.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmPxStat {
    pub total: u8,
    pub usable: u8,
    pub last: u8,
    pub cur: u8,
    pub _pad0: u32,
    /// Guest handle of `uint64`.
    pub trans_pt: u64,
    /// Guest handle of `pm_px_val_t`.
    pub pt: u64,
}

/// Statistics of a CPU's C-states.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmCxStat {
    pub nr: u32,
    pub last: u32,
    pub idle_time: u64,
    /// Guest handle of `uint64`.
    pub triggers: u64,
    /// Guest handle of `uint64`.
    pub residencies: u64,
    pub nr_pc: u32,
    pub nr_cc: u32,
    /// Guest handle of `uint64`.
    pub pc: u64,
    /// Guest handle of `uint64`.
    pub cc: u64,
}

/// The argument of `XEN_SYSCTL_get_pmstat`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlGetPmstat {
    pub r#type: u32,
    pub cpuid: u32,
    /// Union: `getpx`: [`PmPxStat`], `getcx`: [`PmCxStat`].
    pub u: [u64; 7],
}

/// One P-state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmPxVal {
    pub freq: u64,
    pub residency: u64,
    pub count: u64,
}

/// The `userspace` governor's setting, kHz.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Userspace {
    pub scaling_setspeed: u32,
}

/// The `ondemand` governor's settings.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Ondemand {
    pub sampling_rate_max: u32,
    pub sampling_rate_min: u32,
    pub sampling_rate: u32,
    pub up_threshold: u32,
}

/// The `s` arm of [`GetCpufreqPara`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GetCpufreqParaS {
    pub scaling_cur_freq: u32,
    pub scaling_governor: [u8; 16],
    pub scaling_max_freq: u32,
    pub scaling_min_freq: u32,
    /// Union: `userspace`: [`Userspace`], `ondemand`: [`Ondemand`].
    pub u: [u32; 4],
}

/// A CPU's CPPC state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CppcPara {
    pub features: u32,
    pub lowest: u32,
    pub lowest_nonlinear: u32,
    pub nominal: u32,
    pub highest: u32,
    pub minimum: u32,
    pub maximum: u32,
    pub desired: u32,
    pub energy_perf: u32,
    pub activity_window: u32,
}

/// Asks for a CPU's frequency settings, kHz.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GetCpufreqPara {
    pub cpu_num: u32,
    pub freq_num: u32,
    pub gov_num: u32,
    pub _pad0: u32,
    /// Guest handle of `uint32`.
    pub affected_cpus: u64,
    /// Guest handle of `uint32`.
    pub scaling_available_frequencies: u64,
    /// Guest handle of `char`.
    pub scaling_available_governors: u64,
    pub scaling_driver: [u8; 16],
    pub cpuinfo_cur_freq: u32,
    pub cpuinfo_max_freq: u32,
    pub cpuinfo_min_freq: u32,
    /// Union: `s`: [`GetCpufreqParaS`], `cppc_para`: [`CppcPara`].
    pub u: [u32; 11],
    pub turbo_enabled: i32,
    pub _pad1: u32,
}

/// Chooses a governor.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SetCpufreqGov {
    pub scaling_governor: [u8; 16],
}

/// Sets one frequency parameter.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SetCpufreqPara {
    pub ctrl_type: u32,
    pub ctrl_value: u32,
}

/// Sets CPPC parameters.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SetCppcPara {
    pub set_params: u32,
    pub minimum: u32,
    pub maximum: u32,
    pub desired: u32,
    pub energy_perf: u32,
    pub activity_window: u32,
}

/// The argument of `XEN_SYSCTL_pm_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPmOp {
    pub cmd: u32,
    pub cpuid: u32,
    /// Union: `get_para`: [`GetCpufreqPara`], `set_gov`: [`SetCpufreqGov`], `set_para`: [`SetCpufreqPara`], `set_cppc`: [`SetCppcPara`], `get_avgfreq`: `u64`, `set_sched_opt_smt`: `u32`, `get_max_cstate`: `u32`, `set_max_cstate`: `u32`.
    pub u: [u64; 15],
}

payload! {
    SysctlGetPmstat.u;
    GetCpufreqParaS.u;
    GetCpufreqPara.u;
    SysctlPmOp.u;
}
