#include "models/families/weight_reader.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace bertha::models {
namespace {

std::string ShapeText(const std::vector<size_t>& shape) {
  return absl::StrCat("[",
                      absl::StrJoin(shape, ", ",
                                    [](std::string* out, size_t size) {
                                      size == kAny ? absl::StrAppend(out, "any") : absl::StrAppend(out, size);
                                    }),
                      "]");
}

/// It comes from a file: escaped and cut, the message stays one line.
std::string Quoted(absl::string_view name) {
  constexpr size_t kLongest = 200;
  return absl::StrCat("\"", absl::CHexEscape(name.substr(0, kLongest)), "\"");
}

/// `what` is wrong with the weight.
std::string Complaint(absl::string_view name, const std::string& what) {
  return absl::StrCat("weight ", Quoted(name), " ", what);
}

bool Fits(const std::vector<size_t>& found, const std::vector<size_t>& expected) {
  return std::ranges::equal(found, expected,
                            [](size_t is, size_t should) { return is > 0 && (should == kAny || is == should); });
}

/// Exponents of all ones are infinity's and NaN's. Without a branch in the loop: weights are hundreds of megabytes.
bool AllFinite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t largest = 0;
  for (const float value : values) largest = std::max(largest, std::bit_cast<uint32_t>(value) & kExponent);
  return largest != kExponent;
}

}  // namespace

WeightReader::WeightReader(NamedWeights weights)
    : storage_(std::make_shared<Storage>(Storage{std::move(weights), {}})) {}

std::string WeightReader::PrefixOf(absl::string_view suffix) {
  const std::string* found = nullptr;
  for (const auto& [name, weight] : storage_->weights) {
    if (name != suffix && !absl::EndsWith(name, absl::StrCat(".", suffix))) continue;
    if (found) {
      Fail(Complaint(name, absl::StrCat("is there beside ", Quoted(*found), ", expected one network")));
      return "";
    }
    found = &name;
  }
  if (!found) Fail(Complaint(suffix, "is missing, under any prefix"));
  return found ? found->substr(0, found->size() - suffix.size()) : "";
}

std::span<const float> WeightReader::Tensor(const std::string& name, std::vector<size_t>& shape) {
  asked_.insert(name);
  const auto found = storage_->weights.find(name);
  if (found == storage_->weights.end()) {
    Fail(Complaint(name, absl::StrCat("is missing, expected with shape ", ShapeText(shape))));
    return {};
  }
  const NamedWeight& weight = found->second;
  if (!Fits(weight.shape, shape)) {
    Fail(Complaint(name, absl::StrCat("has shape ", ShapeText(weight.shape), ", expected ", ShapeText(shape))));
    return {};
  }
  shape = weight.shape;
  const std::string of_shape = absl::StrCat("of shape ", ShapeText(shape));
  if (!weight.data) {
    Fail(Complaint(name, absl::StrCat(of_shape, " has no floating-point numbers, expected fp32, bf16 or fp16")));
    return {};
  }
  const size_t size = std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies<>());
  const std::span<const float> values(weight.data.get(), size);
  if (!AllFinite(values))
    Fail(Complaint(name, absl::StrCat(of_shape, " has NaN or infinity, expected finite numbers")));
  return values;
}

MatrixView WeightReader::Matrix(const std::string& name, size_t rows, size_t columns) {
  std::vector<size_t> shape = {rows, columns};
  const std::span<const float> values = Tensor(name, shape);
  if (values.empty()) return {};
  return {.data = values.data(), .rows = shape[0], .columns = shape[1], .row_stride = shape[1]};
}

std::span<const float> WeightReader::Vector(const std::string& name, size_t size) {
  std::vector<size_t> shape = {size};
  return Tensor(name, shape);
}

LinearWeights WeightReader::Linear(const std::string& name, size_t outputs, size_t inputs) {
  LinearWeights linear;
  linear.weight = Matrix(absl::StrCat(name, ".weight"), outputs, inputs);
  linear.bias = Vector(absl::StrCat(name, ".bias"), linear.weight.rows);
  return linear;
}

NormWeights WeightReader::Norm(const std::string& name, size_t size) {
  return {.gain = Vector(absl::StrCat(name, ".weight"), size), .bias = Vector(absl::StrCat(name, ".bias"), size)};
}

bool WeightReader::Has(const std::string& prefix) const {
  const auto it = storage_->weights.lower_bound(prefix);
  return it != storage_->weights.end() && absl::StartsWith(it->first, prefix);
}

void WeightReader::Ignore(const std::string& prefix) {
  const NamedWeights& weights = storage_->weights;
  for (auto it = weights.lower_bound(prefix); it != weights.end() && absl::StartsWith(it->first, prefix); ++it) {
    asked_.insert(it->first);
  }
}

std::span<float> WeightReader::Allocate(size_t size) { return storage_->made.emplace_back(size); }

void WeightReader::Fail(const std::string& message) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(message);
}

absl::Status WeightReader::Done() const {
  if (!status_.ok()) return status_;
  for (const auto& [name, weight] : storage_->weights) {
    if (asked_.contains(name)) continue;
    return absl::InvalidArgumentError(
        Complaint(name, absl::StrCat("of shape ", ShapeText(weight.shape),
                                     " is none of this family and task: without it the answers would be others")));
  }
  return absl::OkStatus();
}

}  // namespace bertha::models
