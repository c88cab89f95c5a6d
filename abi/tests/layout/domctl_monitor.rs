//! Layouts of `domctl::monitor`, as a C compiler lays out the public headers.

use xen_abi::domctl::monitor::*;

layouts! {
    DomctlVmEventOpEnable: 4 { port: 0 }
    DomctlVmEventOp: 12 { op: 0, mode: 4, u: 8 }
    DomctlMonitorOpMovToCr: 16 { index: 0, sync: 1, onchangeonly: 2, pad1: 3, pad2: 4, bitmask: 8 }
    DomctlMonitorOpMovToMsr: 8 { msr: 0, onchangeonly: 4 }
    DomctlMonitorOpGuestRequest: 2 { sync: 0, allow_userspace: 1 }
    DomctlMonitorOpDebugException: 1 { sync: 0 }
    DomctlMonitorOpVmexit: 1 { sync: 0 }
    DomctlMonitorOp: 24 { op: 0, event: 4, u: 8 }
    DomctlPsrCmtOp: 8 { cmd: 0, data: 4 }
    DomctlPsrAlloc: 16 { cmd: 0, target: 4, data: 8 }
    DomctlVuartOp: 24 { cmd: 0, r#type: 4, gfn: 8, console_domid: 16, pad: 18, evtchn: 20 }
}
