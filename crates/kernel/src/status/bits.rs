//! The bits of a whole list, and their compressed form (Token Status List §4).

use std::io::{Read, Write};

use data_encoding::BASE64URL_NOPAD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// The largest list that is unpacked: eight times ours, so that lists of others fit too.
pub const MAX_LIST_BYTES: usize = 1 << 20;

/// Why a compressed list cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAList {
    /// It is not base64url without padding.
    #[error("the list is not base64url")]
    Encoding,
    /// It is not a whole ZLIB stream (RFC 1950).
    #[error("the list is not a whole ZLIB stream")]
    Compression,
    /// Unpacked it would be larger than [`MAX_LIST_BYTES`].
    #[error("the list is larger than {MAX_LIST_BYTES} bytes")]
    TooLarge,
    /// The statuses have another size than 1, 2, 4 or 8 bits.
    #[error("statuses have 1, 2, 4 or 8 bits")]
    StatusSize,
}

/// A list, unpacked: one status per index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bits {
    size: u8,
    bytes: Vec<u8>,
}

impl Bits {
    /// A list of single bits that is this long and all valid.
    pub fn empty(length: u32) -> Self {
        Bits { size: 1, bytes: vec![0; length as usize / 8] }
    }

    /// Reads the members `bits` and `lst` of a `status_list`.
    pub fn inflate(size: u8, lst: &str) -> Result<Self, NotAList> {
        if !matches!(size, 1 | 2 | 4 | 8) {
            return Err(NotAList::StatusSize);
        }
        let packed = BASE64URL_NOPAD.decode(lst.as_bytes()).map_err(|_| NotAList::Encoding)?;
        let mut bytes = Vec::new();
        // One more than allowed tells a list that is too large from one that just fits.
        let most = MAX_LIST_BYTES as u64 + 1;
        let mut from = ZlibDecoder::new(packed.as_slice());
        from.by_ref().take(most).read_to_end(&mut bytes).map_err(|_| NotAList::Compression)?;
        if bytes.len() > MAX_LIST_BYTES {
            return Err(NotAList::TooLarge);
        }
        // The library reads on only when asked: at the end it checks the checksum, or finds the stream cut off.
        match from.read(&mut [0]) {
            Ok(0) if from.total_in() == packed.len() as u64 => Ok(Bits { size, bytes }),
            _ => Err(NotAList::Compression),
        }
    }

    /// The status at an index: 0 is valid, everything else is not (§7.1). `None` beyond the end of the list, which no
    /// token of this list can have.
    pub fn status(&self, index: u32) -> Option<u8> {
        let per_byte = 8 / u32::from(self.size);
        let byte = *self.bytes.get((index / per_byte) as usize)?;
        let shifted = u32::from(byte) >> (index % per_byte * u32::from(self.size));
        u8::try_from(shifted & ((1 << self.size) - 1)).ok()
    }

    /// Marks one as revoked, in a list of single bits or larger statuses alike (`INVALID` is 1).
    pub fn revoke(&mut self, index: u32) {
        let per_byte = 8 / u32::from(self.size);
        if let Some(byte) = self.bytes.get_mut((index / per_byte) as usize) {
            *byte |= 1 << (index % per_byte * u32::from(self.size));
        }
    }

    /// Lays the bytes of a part over the list, from byte `at` on.
    pub fn overlay(&mut self, at: usize, part: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(at).zip(part) {
            *to |= *from;
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The member `lst`: ZLIB (RFC 1950), then base64url.
pub fn deflate(bytes: &[u8]) -> String {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::best());
    // Writing into memory fails only when there is none, which ends the program anyway.
    match to.write_all(bytes).and_then(|()| to.finish()) {
        Ok(packed) => BASE64URL_NOPAD.encode(&packed),
        Err(error) => unreachable!("compressing in memory: {error}"),
    }
}
