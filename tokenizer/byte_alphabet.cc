#include "tokenizer/byte_alphabet.h"

#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

bool IsPrintable(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

std::array<std::string, 256> MakeAlphabet() {
  std::array<std::string, 256> alphabet;
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < alphabet.size(); ++byte) {
    AppendUtf8(IsPrintable(byte) ? char32_t{byte} : next++, &alphabet[byte]);
  }
  return alphabet;
}

}  // namespace

const std::array<std::string, 256>& ByteAlphabet() {
  static const auto& alphabet = *new std::array<std::string, 256>(MakeAlphabet());
  return alphabet;
}

}  // namespace bertha::tokenizer
