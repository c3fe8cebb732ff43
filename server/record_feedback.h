// RecordFeedback from decoded message to stored vote, for every transport.
#ifndef BERTHA_SERVER_RECORD_FEEDBACK_H_
#define BERTHA_SERVER_RECORD_FEEDBACK_H_

#include <string>

#include "absl/status/status.h"
#include "bertha/v1/bertha.pb.h"
#include "server/call.h"
#include "server/feedback/feedback_store.h"
#include "server/model_table.h"

namespace bertha::server {

/// Bytes of a model's name and of a label.
constexpr size_t kMostNameBytes = 256;

/// Who sent a vote.
struct FeedbackSource {
  /// The store keeps it only if that is configured.
  std::string client_address;
  /// Of the call, as in the log and the reply.
  std::string request_id;
};

/// Checks the request, which is not used after the return, and hands it to `store` (null: no feedback is kept).
/// `response` lives until `done`, which is called before the return or later on the store's thread. Errors: see the
/// service in bertha.proto. Thread-safe.
void RecordFeedback(feedback::FeedbackStore* store, const ModelTable& models, const CallLimits& limits,
                    const v1::RecordFeedbackRequest& request, const FeedbackSource& source,
                    v1::RecordFeedbackResponse& response, Done done);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_RECORD_FEEDBACK_H_
