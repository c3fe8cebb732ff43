#include "bench/encoder/shapes.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bertha::bench {
namespace {

/// Beyond any model; keeps sums far from overflow.
constexpr int32_t kMost = 1 << 20;

bool ParseCount(absl::string_view text, int32_t& count) {
  return absl::SimpleAtoi(text, &count) && count > 0 && count <= kMost;
}

}  // namespace

size_t Shape::tokens() const { return std::accumulate(lengths.begin(), lengths.end(), size_t{0}); }

int32_t Shape::longest() const { return lengths.empty() ? 0 : *std::ranges::max_element(lengths); }

absl::StatusOr<Shape> ParseShape(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, 'x');
  int32_t sequences = 0, length = 0;
  if (parts.size() != 2 || !ParseCount(parts[0], sequences) || !ParseCount(parts[1], length) ||
      int64_t{sequences} * length > kMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no shape: write 8x128 for 8 sequences of 128 tokens"));
  }
  return Shape{std::string(text), std::vector(static_cast<size_t>(sequences), length)};
}

absl::StatusOr<std::vector<Shape>> ReadLengths(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) return absl::NotFoundError(absl::StrCat(file, ": cannot be read"));
  std::vector<Shape> shapes;
  size_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    Shape shape;
    for (const absl::string_view word : absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty())) {
      int32_t length = 0;
      if (!ParseCount(word, length)) {
        return absl::InvalidArgumentError(absl::StrCat(file, ", line ", number, ": \"", word, "\" is no length"));
      }
      shape.lengths.push_back(length);
    }
    if (shape.lengths.empty()) continue;
    shape.name = absl::StrCat("line ", number);
    shapes.push_back(std::move(shape));
  }
  if (shapes.empty()) return absl::InvalidArgumentError(absl::StrCat(file, ": no lengths in it"));
  return shapes;
}

void Batch::Append(const std::vector<int32_t>& sequence, const std::vector<int32_t>& types) {
  if (cu_seqlens.empty()) cu_seqlens.push_back(0);
  ids.insert(ids.end(), sequence.begin(), sequence.end());
  type_ids.insert(type_ids.end(), types.begin(), types.end());
  cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
}

Batch MakeBatch(const std::vector<int32_t>& lengths, size_t vocabulary, const models::Manifest& manifest) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int32_t> any_id(0, static_cast<int32_t>(vocabulary) - 1);
  Batch batch;
  for (const int32_t length : lengths) {
    std::vector<int32_t> sequence(static_cast<size_t>(length));
    for (int32_t& id : sequence) {
      do id = any_id(random);
      while (id == manifest.padding.id && vocabulary > 1);
    }
    batch.Append(sequence, std::vector<int32_t>(sequence.size(), 0));
  }
  return batch;
}

}  // namespace bertha::bench
