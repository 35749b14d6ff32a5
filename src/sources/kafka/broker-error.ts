import { FrazilError } from "../../core/errors.ts";
import type { Address } from "./address.ts";

/** Node's codes for a certificate that is not trusted: trying again does not help. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|ERR_TLS|ERR_SSL|ERR_OSSL/;

/** Kafka's names of refusals. */
const REFUSED = /AUTHORIZATION_FAILED$|^SASL_AUTHENTICATION_FAILED$|^ILLEGAL_SASL_STATE$/;
const UNSUPPORTED = /^UNSUPPORTED_|^INVALID_REQUEST$/;

/** kafkajs's errors carry these beside the message. */
interface KafkajsError extends Error {
  readonly type?: string;
  readonly code?: string | number;
}

/** What went wrong between us and a broker, in our words: whoever asked decides by `kind` whether to ask again. */
export function brokerError(cause: unknown, address: Address, tls: boolean): FrazilError {
  if (cause instanceof FrazilError) return cause;
  const error = cause as KafkajsError;
  const broker = `${address.host}:${address.port}`;
  if (error.name === "KafkaJSSASLAuthenticationError" || REFUSED.test(error.type ?? "")) {
    return new FrazilError("permission", "KAFKA_REFUSED", `${broker} refuses us: ${error.message}`, {
      cause,
      hint: "check `source.sasl` and the broker's ACLs",
    });
  }
  if (error.name === "KafkaJSServerDoesNotSupportApiKey" || UNSUPPORTED.test(error.type ?? "")) {
    return new FrazilError("unsupported", "KAFKA_VERSION", `${broker} does not support a request: ${error.message}`, {
      cause,
      hint: "Kafka 0.11 or later is needed",
    });
  }
  if (CERTIFICATE.test(String(error.code ?? ""))) {
    return new FrazilError("config", "KAFKA_TLS", `no TLS connection to ${broker}: ${error.message}`, {
      cause,
      hint: "check `source.tls`: `ca` is the authority that signed the broker's certificate, which must name the broker's host",
    });
  }
  if (error instanceof TypeError || error instanceof ReferenceError) {
    return new FrazilError("internal", "KAFKA_CLIENT", `talking to ${broker}: ${error.message}`, { cause });
  }
  return new FrazilError("unavailable", "KAFKA_UNAVAILABLE", `${broker} does not answer: ${error.message}`, {
    cause,
    hint: unavailableHint(error, tls),
  });
}

function unavailableHint(error: KafkajsError, tls: boolean): string {
  if (error.code === "ENOTFOUND" || error.code === "EAI_AGAIN") {
    return "check `source.brokers`; where the name does not stand there, it comes from the broker's `advertised.listeners`";
  }
  if (tls && /TLS|SSL/.test(error.message)) return "does this listener speak TLS?";
  if (!tls && /closed|ECONNRESET/i.test(error.message)) return "does this listener expect TLS or SASL?";
  if (/timed out/.test(error.message))
    return "somebody listens there: is it a Kafka broker, and one that is not overloaded?";
  return "check `source.brokers` and that the broker runs";
}

/** What a Kafka error code in an answer means to us. `subject` is what was asked about. */
export function answerError(name: string, subject: string): FrazilError {
  if (REFUSED.test(name)) {
    return new FrazilError("permission", "KAFKA_REFUSED", `${subject}: ${name}`, {
      hint: "grant the user READ and DESCRIBE on the topic",
    });
  }
  if (UNSUPPORTED.test(name)) {
    return new FrazilError("unsupported", "KAFKA_VERSION", `${subject}: ${name}`, { hint: "upgrade the broker" });
  }
  if (name === "INVALID_TOPIC_EXCEPTION") {
    return new FrazilError("config", "KAFKA_TOPIC_NAME", `${subject} is no valid topic name`, {
      hint: "letters, digits, `.`, `_` and `-`; a pattern is written between slashes",
    });
  }
  return new FrazilError("unavailable", "KAFKA_UNAVAILABLE", `${subject}: ${name}`);
}
