#include "clients/cli/embed_command.h"

#include <memory>

#include "clients/cli/exit_code.h"
#include "clients/cli/npy_writer.h"
#include "clients/cli/rpc_caller.h"
#include "clients/cli/terminal.h"
#include "clients/cli/vectors_output.h"

namespace bertha::cli {
namespace {

struct EmbedTask {
  using Request = v1::EmbedRequest;
  using Response = v1::EmbedResponse;
  static constexpr auto kMethod = &v1::Bertha::Stub::Embed;

  static void AddInput(const Input& input, Request& request) { AddText(input, *request.add_inputs()); }
  static Vectors ToBody(const v1::EmbedResult& result) {
    Vectors vectors{.vector = {result.vector().begin(), result.vector().end()}};
    for (const v1::TokenVector& t : result.token_vectors()) {
      vectors.tokens.push_back(
          {t.token(), ToRange(t.bytes()), ToRange(t.chars()), {t.vector().begin(), t.vector().end()}});
    }
    return vectors;
  }
};

v1::Pooling ToWire(EmbedOptions::Pooling pooling) {
  switch (pooling) {
    case EmbedOptions::Pooling::kModel:
      break;
    case EmbedOptions::Pooling::kMean:
      return v1::POOLING_MEAN;
    case EmbedOptions::Pooling::kCls:
      return v1::POOLING_CLS;
    case EmbedOptions::Pooling::kMax:
      return v1::POOLING_MAX;
    case EmbedOptions::Pooling::kClsMean:
      return v1::POOLING_CLS_MEAN;
    case EmbedOptions::Pooling::kLast:
      return v1::POOLING_LAST;
    case EmbedOptions::Pooling::kNone:
      return v1::POOLING_NONE;
  }
  return v1::POOLING_UNSPECIFIED;
}

v1::EmbedRequest Prototype(const EmbedOptions& options) {
  auto request = RequestOf<v1::EmbedRequest>(options.run);
  v1::EmbedOptions& wire = *request.mutable_options();
  wire.set_pooling(ToWire(options.pooling));
  if (options.normalize) wire.set_normalize(*options.normalize);
  SetLongTexts(options.run, wire);
  return request;
}

absl::StatusOr<std::unique_ptr<RowWriter>> MakeWriter(const EmbedOptions& options) {
  if (!options.npy.empty()) return MakeNpyWriter(options.npy);
  if (options.json) return MakeVectorsJson();
  const bool single = IsSingleText(options.run);
  const bool of_tokens = options.pooling == EmbedOptions::Pooling::kNone;
  return single || of_tokens ? MakeVectorsDetail(StyleOfOutput(), single) : MakeVectorsTable(StyleOfOutput());
}

}  // namespace

int RunEmbed(const EmbedOptions& options) {
  const auto writer = MakeWriter(options);
  if (!writer.ok()) {
    PrintError(writer.status().message());
    return kExitUsage;
  }
  RpcCaller<EmbedTask> caller(options.run.server, Prototype(options));
  return RunTexts(options.run, {}, caller, **writer);
}

}  // namespace bertha::cli
