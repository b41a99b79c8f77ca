//! Content codings, RFC 9110 section 8.4: which one the other side wants, and bytes in each, compressed once.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};

/// A way to write bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
    Brotli,
}

impl Coding {
    /// Those that compress.
    pub(super) const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in headers and, behind a hyphen, at the end of entity tags, as web servers mark them.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Brotli => "br",
        }
    }

    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }
}

/// The same bytes in every coding that makes them smaller.
#[derive(Clone, Debug)]
pub(super) struct Coded {
    identity: Bytes,
    others: Vec<(Coding, Bytes)>,
}

/// Levels that compress a feed of 500 KB in about 20 milliseconds each, within a tenth of what the highest would reach.
const GZIP: flate2::Compression = flate2::Compression::new(6);
const ZSTD: i32 = 6;
const BROTLI: i32 = 5;

impl Coded {
    /// Compresses. Takes milliseconds of processor time: not for a thread that serves.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let coded = |coding| {
            let written = match coding {
                Coding::Identity => return None,
                Coding::Gzip => gzip(&bytes),
                Coding::Zstd => zstd::bulk::compress(&bytes, ZSTD),
                Coding::Brotli => brotli(&bytes),
            };
            // Writing to memory cannot fail; where a coding does, there is one less.
            written.ok().filter(|coded| coded.len() < bytes.len()).map(|coded| (coding, Bytes::from(coded)))
        };
        let others = Coding::ALL.into_iter().filter_map(coded).collect();
        Self { identity: bytes.into(), others }
    }

    /// The bytes as they are.
    pub(super) fn identity(&self) -> &Bytes {
        &self.identity
    }

    /// The smallest bytes that the request takes.
    pub(super) fn choose(&self, request: &HeaderMap) -> (Coding, &Bytes) {
        let accepted = Accepted::of(request);
        let others = self.others.iter().map(|(coding, bytes)| (*coding, bytes));
        others
            .chain([(Coding::Identity, &self.identity)])
            .filter(|(coding, _)| accepted.quality(*coding) > 0)
            .min_by_key(|(coding, bytes)| (std::cmp::Reverse(accepted.quality(*coding)), bytes.len()))
            // Whoever takes nothing at all gets the bytes as they are (section 12.5.3).
            .unwrap_or((Coding::Identity, &self.identity))
    }

    /// How many bytes are held in memory.
    pub(super) fn size(&self) -> usize {
        self.identity.len() + self.others.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(bytes.len() / 3), GZIP);
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn brotli(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: BROTLI,
        size_hint: bytes.len(),
        ..brotli::enc::BrotliEncoderParams::default()
    };
    let mut coded = Vec::with_capacity(bytes.len() / 3);
    brotli::BrotliCompress(&mut &bytes[..], &mut coded, &parameters)?;
    Ok(coded)
}

/// What `Accept-Encoding` says of each coding, in thousandths (section 12.5.3).
struct Accepted {
    gzip: u16,
    zstd: u16,
    brotli: u16,
    identity: u16,
}

impl Accepted {
    fn of(request: &HeaderMap) -> Self {
        let (mut gzip, mut zstd, mut brotli, mut identity, mut any) = (None, None, None, None, None);
        for list in request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
            for item in list.split(',') {
                let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
                let name = name.trim();
                let slot = match name.len() {
                    4 if name.eq_ignore_ascii_case("gzip") => &mut gzip,
                    6 if name.eq_ignore_ascii_case("x-gzip") => &mut gzip,
                    4 if name.eq_ignore_ascii_case("zstd") => &mut zstd,
                    2 if name.eq_ignore_ascii_case("br") => &mut brotli,
                    8 if name.eq_ignore_ascii_case("identity") => &mut identity,
                    1 if name == "*" => &mut any,
                    _ => continue,
                };
                *slot = Some(quality(parameters));
            }
        }
        let other = any.unwrap_or(0);
        Self {
            gzip: gzip.unwrap_or(other),
            zstd: zstd.unwrap_or(other),
            brotli: brotli.unwrap_or(other),
            // Taken unless it is refused by name or by `*`; wanted least unless it is wanted by name.
            identity: identity.unwrap_or(if any == Some(0) { 0 } else { 1 }),
        }
    }

    fn quality(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Identity => self.identity,
            Coding::Gzip => self.gzip,
            Coding::Zstd => self.zstd,
            Coding::Brotli => self.brotli,
        }
    }
}

/// `q=0.5` as 500; what is not said or not readable is 1.
fn quality(parameters: &str) -> u16 {
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>().ok())?
    });
    weight.map_or(1000, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn text() -> Vec<u8> {
        "A line of a feed that comes again and again. ".repeat(100).into_bytes()
    }

    #[test]
    fn every_coding_reads_back_as_the_same_bytes() {
        let coded = Coded::new(text());
        assert_eq!(coded.others.len(), 3);
        for (coding, bytes) in &coded.others {
            let mut read = Vec::new();
            match coding {
                Coding::Identity => unreachable!(),
                Coding::Gzip => flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut read).map(|_| ()).unwrap(),
                Coding::Zstd => read = zstd::bulk::decompress(bytes, 1 << 20).unwrap(),
                Coding::Brotli => brotli::BrotliDecompress(&mut &bytes[..], &mut read).unwrap(),
            }
            assert_eq!(read, text(), "{coding:?}");
        }
        assert_eq!(coded.size(), text().len() + coded.others.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
    }

    #[test]
    fn what_does_not_get_smaller_stays_as_it_is() {
        assert!(Coded::new(b"x".to_vec()).others.is_empty());
    }

    #[test]
    fn the_other_side_gets_what_it_takes() {
        let mut coded = Coded::new(text());
        // The sizes of real feeds.
        for (coding, bytes) in &mut coded.others {
            *bytes = Bytes::from(vec![
                0;
                if *coding == Coding::Gzip {
                    300
                } else if *coding == Coding::Zstd {
                    290
                } else {
                    250
                }
            ]);
        }
        for (header, expected) in [
            (None, Coding::Identity),
            (Some(""), Coding::Identity),
            (Some("gzip"), Coding::Gzip),
            (Some("GZIP, deflate"), Coding::Gzip),
            (Some("x-gzip"), Coding::Gzip),
            (Some("gzip, deflate, br, zstd"), Coding::Brotli),
            (Some("gzip, deflate, zstd"), Coding::Zstd),
            (Some("br;q=0.5, gzip;q=0.8, *;q=0.1"), Coding::Gzip),
            (Some("*"), Coding::Brotli),
            (Some("*;q=0"), Coding::Identity),
            (Some("br;q=0, *"), Coding::Zstd),
            (Some("identity, gzip;q=0.5"), Coding::Identity),
            (Some("identity;q=0"), Coding::Identity),
            (Some("deflate"), Coding::Identity),
            (Some("gzip;q=nonsense"), Coding::Gzip),
            (Some(",,;=q"), Coding::Identity),
        ] {
            let mut request = HeaderMap::new();
            if let Some(value) = header {
                request.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(coded.choose(&request).0, expected, "{header:?}");
        }
    }
}
