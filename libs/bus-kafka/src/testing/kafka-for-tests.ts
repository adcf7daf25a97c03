import { randomBytes } from 'node:crypto';

/** Where the test run's shared broker is (test/support/kafka-setup.cjs); none where it can't be started. */
export const SHARED_BROKERS: readonly string[] = (process.env['AIFIRST_TEST_KAFKA_BROKERS'] ?? '').split(',').filter(broker => broker !== '');

/** As `describe`, skipped where there is no broker. */
export const describeWithKafka: jest.Describe = SHARED_BROKERS.length > 0 ? describe : describe.skip;

/** No two tests on one broker meet. */
export const uniqueName = (): string => `t${randomBytes(6).toString('hex')}`;
