//! Layouts of `sched`, as a C compiler lays out the public headers.

use xen_abi::sched::*;

layouts! {
    SchedShutdown: 4 { reason: 0 }
    SchedPoll: 24 { ports: 0, nr_ports: 8, timeout: 16 }
    SchedRemoteShutdown: 8 { domain_id: 0, reason: 4 }
    SchedWatchdog: 8 { id: 0, timeout: 4 }
    SchedPinOverride: 4 { pcpu: 0 }
}
