//! Layouts of `sysctl::sched`, as a C compiler lays out the public headers.

use xen_abi::sysctl::sched::*;

layouts! {
    SysctlSchedId: 4 { sched_id: 0 }
    SysctlCpupoolOp: 40 { op: 0, cpupool_id: 4, sched_id: 8, domid: 12, cpu: 16, n_dom: 20, cpumap: 24 }
    SysctlArinc653ScheduleSchedEntries: 32 { dom_handle: 0, vcpu_id: 16, runtime: 24 }
    SysctlArinc653Schedule: 2064 { major_frame: 0, num_sched_entries: 8, sched_entries: 16 }
    SysctlCreditSchedule: 12 { tslice_ms: 0, ratelimit_us: 4, vcpu_migr_delay_us: 8 }
    SysctlCredit2Schedule: 4 { ratelimit_us: 0 }
    SysctlSchedArinc653: 8 { schedule: 0 }
    SysctlSchedulerOp: 32 { cpupool_id: 0, sched_id: 4, cmd: 8, u: 16 }
}
