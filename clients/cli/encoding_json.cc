#include "clients/cli/encoding_json.h"

#include <charconv>
#include <cstdint>
#include <vector>

#include "absl/strings/str_format.h"
#include "clients/cli/text.h"
#include "tokenizer/utf8.h"

namespace bertha::cli {
namespace {

using tokenizer::Encoding;
using tokenizer::Span;

/// Enough for "[N,N]," of 64-bit numbers.
constexpr size_t kLongestItem = 48;

char* Put(uint64_t number, char* to) { return std::to_chars(to, to + 20, number).ptr; }

void AppendItem(int32_t number, std::string* out) {
  char item[kLongestItem];
  out->append(item, std::to_chars(item, item + kLongestItem, number).ptr);
}

void AppendItem(const Span& span, std::string* out) {
  char item[kLongestItem];
  char* end = item;
  *end++ = '[';
  end = Put(span.begin, end);
  *end++ = ',';
  end = Put(span.end, end);
  *end++ = ']';
  out->append(item, end);
}

bool IsPlain(char c) { return static_cast<unsigned char>(c - 0x20) < 0x5F && c != '"' && c != '\\'; }

/// Appends the character at `*at`, escaped where it must be, and moves on.
void AppendOther(absl::string_view text, size_t* at, std::string* out) {
  const size_t begin = *at;
  const char32_t c = tokenizer::DecodeUtf8(text, at);
  if (c == '"' || c == '\\') {
    out->push_back('\\');
  } else if (IsUnsafe(c)) {
    absl::StrAppendFormat(out, "\\u%04x", static_cast<uint32_t>(c));
    return;
  }
  out->append(text.data() + begin, *at - begin);
}

void AppendItem(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (size_t at = 0; at < text.size();) {
    const size_t plain = at;
    while (at < text.size() && IsPlain(text[at])) ++at;
    out->append(text.data() + plain, at - plain);
    if (at < text.size()) AppendOther(text, &at, out);
  }
  out->push_back('"');
}

template <typename T>
void AppendList(absl::string_view head, const std::vector<T>& items, std::string* out) {
  out->append(head.data(), head.size());
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendItem(items[i], out);
  }
  out->push_back(']');
}

/// Without the closing brace.
void AppendMembers(const Encoding& encoding, std::string* out) {
  AppendList("{\"ids\":[", encoding.ids, out);
  AppendList(",\"type_ids\":[", encoding.type_ids, out);
  AppendList(",\"offsets\":[", encoding.char_offsets, out);
  AppendList(",\"byte_offsets\":[", encoding.offsets, out);
  AppendList(",\"tokens\":[", encoding.tokens, out);
  AppendList(",\"special_tokens_mask\":[", encoding.special_tokens_mask, out);
}

}  // namespace

void AppendEncodingLine(const Encoding& encoding, const tokenizer::EncodingList& overflow, std::string* out) {
  AppendMembers(encoding, out);
  for (size_t i = 0; i < overflow.size(); ++i) {
    out->append(i == 0 ? ",\"overflow\":[" : ",");
    AppendMembers(overflow[i], out);
    out->push_back('}');
  }
  out->append(overflow.size() > 0 ? "]}\n" : "}\n");
}

void AppendErrorLine(absl::string_view message, std::string* out) {
  out->append("{\"error\":");
  AppendItem(message, out);
  out->append("}\n");
}

}  // namespace bertha::cli
