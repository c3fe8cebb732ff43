// Classify, for RpcCaller (clients/cli/rpc_caller.h).
#ifndef BERTHA_CLIENTS_CLI_CLASSIFY_TASK_H_
#define BERTHA_CLIENTS_CLI_CLASSIFY_TASK_H_

#include "clients/cli/rpc_caller.h"

namespace bertha::cli {

struct ClassifyTask {
  using Request = v1::ClassifyRequest;
  using Response = v1::ClassifyResponse;
  static constexpr auto kMethod = &v1::Bertha::Stub::Classify;

  static void AddInput(const Input& input, Request& request) { AddText(input, *request.add_inputs()); }
  static Labels ToBody(const v1::ClassifyResult& result) {
    Labels labels{.logits = {result.logits().begin(), result.logits().end()}};
    for (const v1::LabelScore& s : result.scores()) labels.scores.push_back({s.label(), s.score()});
    return labels;
  }
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_CLASSIFY_TASK_H_
