#include "models/zip_check.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace bertha::models {
namespace {

constexpr size_t kMaxDirectoryBytes = 64 << 20;
constexpr size_t kMaxPickleBytes = 64 << 20;
constexpr size_t kEndSize = 22, kEntrySize = 46, kLocalSize = 30;

/// Little-endian number of `n` bytes; 0 beyond the end.
uint64_t Number(absl::string_view bytes, size_t at, size_t n) {
  uint64_t value = 0;
  for (size_t i = n; i > 0 && at + n <= bytes.size(); --i) value = value << 8 | static_cast<uint8_t>(bytes[at + i - 1]);
  return value;
}

std::string Bytes(const PackageFile& file, uint64_t offset, size_t n) {
  std::string bytes(n, '\0');
  bytes.resize(file.ReadAt(offset, bytes.data(), n));
  return bytes;
}

uint32_t Crc32(absl::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> result;
    for (uint32_t i = 0; i < 256; ++i) {
      result[i] = i;
      for (int bit = 0; bit < 8; ++bit) result[i] = result[i] >> 1 ^ (result[i] & 1 ? 0xEDB88320u : 0);
    }
    return result;
  }();
  uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
  return ~crc;
}

/// The central directory, or nothing.
std::string Directory(const PackageFile& file) {
  const size_t tail_size = std::min<size_t>(file.size(), kEndSize + UINT16_MAX);  // a comment may follow
  const uint64_t tail_at = file.size() - tail_size;
  const std::string tail = Bytes(file, tail_at, tail_size);
  const size_t end = tail.rfind("PK\x05\x06");
  if (end == std::string::npos) return "";
  uint64_t size = Number(tail, end + 12, 4), offset = Number(tail, end + 16, 4);
  // Archives of more than 4 GiB say it in another record, which lies before this one.
  const size_t large = tail.rfind("PK\x06\x06", end);
  if (large != std::string::npos && (size == UINT32_MAX || offset == UINT32_MAX)) {
    size = Number(tail, large + 40, 8);
    offset = Number(tail, large + 48, 8);
  }
  if (size > kMaxDirectoryBytes || offset > file.size()) return "";
  return Bytes(file, offset, size);
}

}  // namespace

absl::Status CheckPickles(const PackageFile& file) {
  const std::string directory = Directory(file);
  const absl::string_view entries = directory;
  for (size_t at = 0; at + kEntrySize <= entries.size() && Number(entries, at, 4) == 0x02014B50;) {
    const uint64_t method = Number(entries, at + 10, 2), crc = Number(entries, at + 16, 4);
    const uint64_t size = Number(entries, at + 24, 4), local = Number(entries, at + 42, 4);
    const size_t name_size = Number(entries, at + 28, 2);
    const absl::string_view name = entries.substr(at + kEntrySize, name_size);
    at += kEntrySize + name_size + Number(entries, at + 30, 2) + Number(entries, at + 32, 2);
    // A pickle behind 4 GiB of weights has its place in an extra field; LibTorch is left to find it.
    if (method != 0 || !absl::EndsWith(name, ".pkl") || size > kMaxPickleBytes || local == UINT32_MAX) continue;
    const std::string header = Bytes(file, local, kLocalSize);
    const uint64_t content = local + kLocalSize + Number(header, 26, 2) + Number(header, 28, 2);
    if (Crc32(Bytes(file, content, size)) != crc) {
      return absl::DataLossError(absl::StrCat("the archive is damaged: ", absl::CHexEscape(name.substr(0, 200)),
                                              " does not match its CRC-32"));
    }
  }
  return absl::OkStatus();
}

}  // namespace bertha::models
