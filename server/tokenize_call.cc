#include "server/tokenize_call.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/model_status.h"
#include "server/wire_range.h"

namespace bertha::server {
namespace {

using tokenizer::EncodeOptions;
using tokenizer::Encoding;

/// Bytes of a token in the response besides its text, about.
constexpr size_t kTokenBytes = 32;

/// Tokens of each text, without special ones.
std::array<size_t, 2> CountBySequence(const Encoding& encoding) {
  std::array<size_t, 2> counts{};
  for (const int32_t sequence : encoding.sequence_ids) {
    if (sequence >= 0) counts[static_cast<size_t>(sequence)] += 1;
  }
  return counts;
}

/// A text's tokens, and how many of each of its sequences there are and are computed.
struct Encoded {
  Encoding whole;
  std::array<size_t, 2> all{}, kept{};
};

absl::Status EncodeBoth(const ServingModel& model, const v1::TextInput& text, v1::TruncationPolicy policy,
                        Encoded& out) {
  thread_local tokenizer::Scratch scratch;
  std::optional<absl::string_view> pair;
  if (text.has_text_pair()) pair = text.text_pair();
  EncodeOptions options;
  options.special_tokens_mask = options.sequence_ids = true;
  options.offsets = options.char_offsets = options.tokens = true;
  if (absl::Status status = model.tokenizer->Encode(text.text(), pair, options, scratch, out.whole); !status.ok()) {
    return status;
  }
  out.kept = out.all = CountBySequence(out.whole);
  const size_t length = out.whole.ids.size();
  if (length <= model.manifest.max_length || policy == v1::TRUNCATION_POLICY_WINDOW) return absl::OkStatus();
  if (policy == v1::TRUNCATION_POLICY_ERROR) {
    return absl::InvalidArgumentError(absl::StrCat("text: has ", length, " tokens, the model takes ",
                                                   model.manifest.max_length,
                                                   "; shorten it or choose another truncation policy"));
  }
  EncodeOptions cut;
  cut.max_length = model.manifest.max_length;
  cut.sequence_ids = true;
  if (policy == v1::TRUNCATION_POLICY_LEFT) cut.truncation_side = tokenizer::TruncationSide::kLeft;
  Encoding short_one;
  absl::Status status = model.tokenizer->Encode(text.text(), pair, cut, scratch, short_one);
  out.kept = CountBySequence(short_one);
  return status;
}

}  // namespace

absl::Status DescribeTokens(const ServingModel& model, const v1::TextInput& text, v1::TruncationPolicy policy,
                            size_t& budget, v1::TokenizeResult& out) {
  Encoded encoded;
  if (absl::Status status = EncodeBoth(model, text, policy, encoded); !status.ok()) return status;
  const Encoding& whole = encoded.whole;
  if (whole.ids.size() * kTokenBytes > budget) {
    return absl::InvalidArgumentError(absl::StrCat("text: its ", whole.ids.size(),
                                                   " tokens make the response larger than allowed; send fewer or "
                                                   "shorter texts"));
  }
  budget -= whole.ids.size() * kTokenBytes;
  std::array<size_t, 2> seen{};
  for (size_t i = 0; i < whole.ids.size(); ++i) {
    v1::Token& token = *out.add_tokens();
    token.set_id(whole.ids[i]);
    token.set_text(whole.tokens[i]);
    const int32_t sequence = whole.sequence_ids[i];
    token.set_special(sequence < 0);
    if (sequence < 0) continue;
    const auto s = static_cast<size_t>(sequence);
    const size_t place = seen[s]++;
    const size_t lost = encoded.all[s] - encoded.kept[s];
    token.set_cut(policy == v1::TRUNCATION_POLICY_LEFT ? place < lost : place >= encoded.kept[s]);
    token.set_sequence(static_cast<uint32_t>(sequence));
    FillRange(whole.offsets[i], *token.mutable_bytes());
    FillRange(whole.char_offsets[i], *token.mutable_chars());
  }
  const size_t cut = encoded.all[0] + encoded.all[1] - encoded.kept[0] - encoded.kept[1];
  out.set_computed(static_cast<uint32_t>(whole.ids.size() - cut));
  out.set_max_length(static_cast<uint32_t>(model.manifest.max_length));
  return absl::OkStatus();
}

TokenizeCall::TokenizeCall(const CallContext& context, const v1::TokenizeRequest& request,
                           v1::TokenizeResponse& response, batcher::TimePoint deadline, Done done)
    : context_(context), request_(request), response_(response), deadline_(deadline), done_(std::move(done)) {}

void TokenizeCall::Run() {
  if (absl::Status status = Prepare(); !status.ok()) return Finish(status);
  if (bytes_ <= context_.limits.max_inline_bytes) return Finish(TokenizeAll());
  if (!context_.pool.TryRun([self = shared_from_this()] { self->Finish(self->TokenizeAll()); })) {
    Finish(absl::ResourceExhaustedError("too many long calls are being tokenized; try again later"));
  }
}

absl::Status TokenizeCall::Prepare() {
  auto model = context_.models.Find(request_.model(), request_.version(), request_.version_label());
  if (!model.ok()) return model.status();
  model_ = *std::move(model);
  const auto size = static_cast<size_t>(request_.inputs_size());
  if (absl::Status status = CheckInputs(context_.limits, size); !status.ok()) return status;
  if (!v1::TruncationPolicy_IsValid(request_.truncation())) {
    return absl::InvalidArgumentError(
        absl::StrCat("truncation: unknown value ", static_cast<int>(request_.truncation())));
  }
  for (size_t i = 0; i < size; ++i) {
    const v1::TextInput& text = request_.inputs(static_cast<int>(i));
    bytes_ += text.text().size() + text.text_pair().size();
    if (absl::Status status = CheckTextBytes(context_.limits, i, "text", text.text()); !status.ok()) return status;
    if (absl::Status status = CheckTextBytes(context_.limits, i, "text_pair", text.text_pair()); !status.ok()) {
      return status;
    }
    if (!text.has_text_pair()) continue;
    if (absl::Status status = CheckPair(*model_, i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status TokenizeCall::TokenizeAll() {
  size_t budget = context_.limits.max_response_bytes;
  for (int i = 0; i < request_.inputs_size(); ++i) {
    if (cancelled_) return absl::CancelledError("cancelled by the caller");
    if (deadline_ <= context_.clock.Now()) {
      return absl::DeadlineExceededError("the deadline passed before the texts were tokenized");
    }
    absl::Status status =
        DescribeTokens(*model_, request_.inputs(i), request_.truncation(), budget, *response_.add_results());
    if (!status.ok()) return AtInput(static_cast<size_t>(i), ".", status);
  }
  FillModelInfo(*model_, *response_.mutable_model());
  return absl::OkStatus();
}

void TokenizeCall::Finish(const absl::Status& status) {
  if (!status.ok()) response_.Clear();
  std::exchange(done_, nullptr)(status);
}

}  // namespace bertha::server
