/** How far a producer's log is in Kafka for sure. What lies behind it may be there too: it is sent again after a crash. */
export interface RelayPositions {
  /** 0 = nothing yet. @throws OperationalError, retryable when the database is away */
  load(): Promise<number>;
  /** Replaces what was saved. @throws as `load` */
  save(position: number): Promise<void>;
}
