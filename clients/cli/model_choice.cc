#include "clients/cli/model_choice.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bertha::cli {
namespace {

struct RpcCommand {
  absl::string_view rpc;
  absl::string_view command;
};
constexpr std::array<RpcCommand, 4> kCommands = {
    {{"Classify", "classify"}, {"TagTokens", "tag"}, {"Answer", "answer"}, {"Embed", "embed"}}};

}  // namespace

absl::StatusOr<ModelChoice> ParseModelChoice(absl::string_view text) {
  const size_t colon = text.find(':');
  ModelChoice choice{.name = std::string(text.substr(0, colon))};
  if (colon == absl::string_view::npos) return choice;
  const absl::string_view which = text.substr(colon + 1);
  if (which.empty()) return absl::InvalidArgumentError("nothing follows the colon: NAME:VERSION or NAME:LABEL");
  if (!std::all_of(which.begin(), which.end(), absl::ascii_isdigit)) {
    choice.label = std::string(which);
  } else if (!absl::SimpleAtoi(which, &choice.version) || choice.version == 0) {
    return absl::InvalidArgumentError(absl::StrCat("not a version: ", which));
  }
  return choice;
}

std::string WithCommand(absl::string_view message) {
  constexpr absl::string_view kCall = "; call ";
  const size_t at = message.rfind(kCall);
  if (at == absl::string_view::npos) return std::string(message);
  absl::string_view rpc = message.substr(at + kCall.size());
  rpc = rpc.substr(0, rpc.find(','));
  for (const RpcCommand& c : kCommands) {
    if (c.rpc == rpc) return absl::StrCat(message.substr(0, at), "; use `bertha ", c.command, "`");
  }
  return std::string(message);
}

}  // namespace bertha::cli
