//! The page of stubs through which a PV guest makes hypercalls: 32 bytes for each.

use machine::Page;
use xen_abi::hypercall::IRET;

/// push rcx; push r11; mov eax, nr; syscall; pop r11; pop rcx; ret
const CALL: [u8; 15] = [
    0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3, 0,
];
/// push rcx; push r11; push rax; mov eax, nr; syscall: it does not come back.
const RETURN: [u8; 15] = [
    0x51, 0x41, 0x53, 0x50, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xcc, 0xcc, 0xcc, 0,
];

/// Fills `page` with the stubs of a PV guest.
pub fn fill(page: &Page) {
    for nr in 0..128u32 {
        let (mut code, at) = if nr == IRET { (RETURN, 5) } else { (CALL, 4) };
        if let Some(number) = code.get_mut(at..at + 4) {
            number.copy_from_slice(&nr.to_le_bytes());
        }
        page.write(nr as usize * 32, &code);
    }
}
