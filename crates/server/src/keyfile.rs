//! Files with one 32-byte key, as 64 hexadecimal digits on one line.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use gateward_guard::RootKey;
use zeroize::Zeroizing;

/// The key in the content of such a file.
pub fn parse(content: &[u8]) -> Option<RootKey> {
    let text = std::str::from_utf8(content).ok()?.trim();
    let key = Zeroizing::new(data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?);
    <[u8; 32]>::try_from(key.as_slice()).ok().map(RootKey::from_bytes)
}

/// Writes a key into a file that was not there, for its owner's eyes only, so that it survives what happens next.
pub fn write_new(path: &Path, key: &RootKey) -> std::io::Result<()> {
    let text = Zeroizing::new(data_encoding::HEXLOWER.encode(key.expose()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", *text)?;
    file.sync_all()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    std::fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_bytes_of_hexadecimal_are_a_key() {
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        assert!(parse(digits.as_bytes()).is_some());
        assert!(parse(format!(" {digits}\r\n").as_bytes()).is_some());
        for wrong in ["", &digits[1..], &digits[2..], &format!("{digits}00"), &digits.replace('a', "g")] {
            assert!(parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(parse(&[0xff; 64]).is_none());
    }

    #[test]
    fn a_key_is_written_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let key = RootKey::from_bytes([7; 32]);
        write_new(&path, &key).unwrap();
        assert_eq!(parse(&std::fs::read(&path).unwrap()).unwrap().expose(), key.expose());
        assert!(write_new(&path, &key).is_err(), "nothing is written over");
    }
}
