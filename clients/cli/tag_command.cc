#include "clients/cli/tag_command.h"

#include "clients/cli/entities_output.h"
#include "clients/cli/rpc_caller.h"

namespace bertha::cli {
namespace {

struct TagTask {
  using Request = v1::TagTokensRequest;
  using Response = v1::TagTokensResponse;
  static constexpr auto kMethod = &v1::Bertha::Stub::TagTokens;

  static void AddInput(const Input& input, Request& request) { AddText(input, *request.add_inputs()); }
  static Entities ToBody(const v1::TagTokensResult& result) {
    Entities found;
    for (const v1::Entity& e : result.entities()) {
      found.entities.push_back({e.label(), e.score(), e.text(), ToRange(e.bytes()), ToRange(e.chars())});
    }
    return found;
  }
};

v1::Aggregation ToWire(TagOptions::Aggregation aggregation) {
  switch (aggregation) {
    case TagOptions::Aggregation::kModel:
      break;
    case TagOptions::Aggregation::kNone:
      return v1::AGGREGATION_NONE;
    case TagOptions::Aggregation::kSimple:
      return v1::AGGREGATION_SIMPLE;
    case TagOptions::Aggregation::kFirst:
      return v1::AGGREGATION_FIRST;
    case TagOptions::Aggregation::kAverage:
      return v1::AGGREGATION_AVERAGE;
    case TagOptions::Aggregation::kMax:
      return v1::AGGREGATION_MAX;
  }
  return v1::AGGREGATION_UNSPECIFIED;
}

}  // namespace

int RunTag(const TagOptions& options) {
  auto request = RequestOf<v1::TagTokensRequest>(options.run);
  request.mutable_options()->set_aggregation(ToWire(options.aggregation));
  request.mutable_options()->set_threshold(options.threshold);
  SetLongTexts(options.run, *request.mutable_options());
  RpcCaller<TagTask> caller(options.run.server, std::move(request));
  const auto writer = options.json ? MakeEntitiesJson() : MakeEntitiesView(StyleOfOutput(), IsSingleText(options.run));
  return RunTexts(options.run, {}, caller, *writer);
}

}  // namespace bertha::cli
