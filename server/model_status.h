// Models and lines of the model table as messages of the wire.
#ifndef BERTHA_SERVER_MODEL_STATUS_H_
#define BERTHA_SERVER_MODEL_STATUS_H_

#include "bertha/v1/bertha.pb.h"
#include "server/model_table.h"

namespace bertha::server {

v1::ModelStatus ToWire(const ModelEntry& entry);
void FillModelInfo(const ServingModel& model, v1::ModelInfo& info);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_STATUS_H_
