package quorate.jms.scenario;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.XAConnection;
import javax.jms.XASession;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** Two phases, driven as a transaction manager drives them. */
public final class Xa {
    private Xa() {}

    public static void commitInOnePhase(Client client) throws Exception {
        XASession session = client.connectXa().createXASession();
        XAResource resource = session.getXAResource();
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        Xid xid = begin(client, resource, "one");
        Messages.send(session, client.queue("queue"), "sent");
        resource.end(xid, XAResource.TMSUCCESS);
        Messages.expectNone(consumer);
        resource.commit(xid, true);
        Messages.expect(consumer, "sent");
    }

    public static void commitInTwoPhases(Client client) throws Exception {
        Queue from = client.queue("from");
        Queue to = client.queue("to");
        Messages.send(client.session(), from, "moved");
        XASession session = client.connectXa().createXASession();
        XAResource resource = session.getXAResource();
        MessageConsumer arrivals = client.session().createConsumer(to);
        Xid xid = begin(client, resource, "two");
        MessageConsumer consumer = session.createConsumer(from);
        Messages.send(session, to, Messages.text(consumer));
        resource.end(xid, XAResource.TMSUCCESS);
        Expect.equal(XAResource.XA_OK, resource.prepare(xid), "the vote");
        Messages.expectNone(arrivals);
        resource.commit(xid, false);
        Messages.expect(arrivals, "moved");
        session.close();
        Messages.expectNone(client.session().createConsumer(from));
    }

    public static void rollbackAfterPrepare(Client client) throws Exception {
        Queue from = client.queue("from");
        Queue to = client.queue("to");
        Messages.send(client.session(), from, "stays");
        XASession session = client.connectXa().createXASession();
        XAResource resource = session.getXAResource();
        Xid xid = begin(client, resource, "back");
        MessageConsumer consumer = session.createConsumer(from);
        Messages.send(session, to, Messages.text(consumer));
        resource.end(xid, XAResource.TMSUCCESS);
        Expect.equal(XAResource.XA_OK, resource.prepare(xid), "the vote");
        resource.rollback(xid);
        session.close();
        Messages.expect(client.session().createConsumer(from), "stays");
        Messages.expectNone(client.session().createConsumer(to));
    }

    public static void rollbackWithoutPrepare(Client client) throws Exception {
        XASession session = client.connectXa().createXASession();
        XAResource resource = session.getXAResource();
        Xid xid = begin(client, resource, "back");
        Messages.send(session, client.queue("queue"), "never");
        resource.end(xid, XAResource.TMFAIL);
        resource.rollback(xid);
        Messages.expectNone(client.session().createConsumer(client.queue("queue")));
    }

    public static void branchesOneAfterTheOther(Client client) throws Exception {
        XASession session = client.connectXa().createXASession();
        XAResource resource = session.getXAResource();
        Xid first = begin(client, resource, "first");
        Messages.send(session, client.queue("queue"), "first");
        resource.end(first, XAResource.TMSUCCESS);
        Xid second = begin(client, resource, "second");
        Messages.send(session, client.queue("queue"), "second");
        resource.end(second, XAResource.TMSUCCESS);
        resource.prepare(first);
        resource.prepare(second);
        resource.commit(second, false);
        resource.rollback(first);
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        Messages.expect(consumer, "second");
        Messages.expectNone(consumer);
    }

    /** The manager comes back by another connection and finds what was in doubt. */
    public static void preparedSurvivesItsConnection(Client client) throws Exception {
        Queue from = client.queue("from");
        Queue to = client.queue("to");
        Messages.send(client.session(), from, "in doubt");
        XAConnection connection = client.connectXa();
        XASession session = connection.createXASession();
        Xid xid = begin(client, session.getXAResource(), "doubt");
        Messages.send(session, to, Messages.text(session.createConsumer(from)));
        session.getXAResource().end(xid, XAResource.TMSUCCESS);
        session.getXAResource().prepare(xid);
        connection.close();

        MessageConsumer arrivals = client.session().createConsumer(to);
        MessageConsumer left = client.session().createConsumer(from);
        Messages.expectNone(arrivals);
        Messages.expectNone(left);
        XAResource resource = client.connectXa().createXASession().getXAResource();
        Expect.that(inDoubt(resource, xid), "the branch is found");
        resource.commit(xid, false);
        Messages.expect(arrivals, "in doubt");
        Messages.expectNone(left);
        Expect.that(!inDoubt(resource, xid), "the branch is done");
    }

    public static void unpreparedGoesWithItsConnection(Client client) throws Exception {
        XAConnection connection = client.connectXa();
        XASession session = connection.createXASession();
        Xid xid = begin(client, session.getXAResource(), "lost");
        Messages.send(session, client.queue("queue"), "never");
        session.getXAResource().end(xid, XAResource.TMSUCCESS);
        connection.close();
        Expect.that(!inDoubt(client.connectXa().createXASession().getXAResource(), xid), "the branch is not found");
        Messages.expectNone(client.session().createConsumer(client.queue("queue")));
    }

    public static void branchWithoutWork(Client client) throws Exception {
        XAResource resource = client.connectXa().createXASession().getXAResource();
        Xid xid = begin(client, resource, "idle");
        resource.end(xid, XAResource.TMSUCCESS);
        Expect.equal(XAResource.XA_RDONLY, resource.prepare(xid), "the vote");
    }

    /** Clients before 5.9 lose the error code. */
    public static void unknownBranch(Client client) throws Exception {
        XAResource resource = client.connectXa().createXASession().getXAResource();
        XAException refusal = Expect.failure(XAException.class, () -> resource.commit(new Branch(client.name("unknown")), false));
        Expect.equal(XAException.XAER_NOTA, refusal.errorCode, "the error code");
    }

    private static Xid begin(Client client, XAResource resource, String role) throws XAException {
        Xid xid = new Branch(client.name(role));
        resource.start(xid, XAResource.TMNOFLAGS);
        return xid;
    }

    private static boolean inDoubt(XAResource resource, Xid xid) throws XAException {
        for (Xid found : resource.recover(XAResource.TMSTARTRSCAN | XAResource.TMENDRSCAN)) {
            if (found.getFormatId() == xid.getFormatId() && Arrays.equals(found.getGlobalTransactionId(), xid.getGlobalTransactionId())
                    && Arrays.equals(found.getBranchQualifier(), xid.getBranchQualifier())) {
                return true;
            }
        }
        return false;
    }

    private static final class Branch implements Xid {
        private final byte[] transaction;

        /** A name that is longer than a transaction id may be is cut at its beginning, as its end tells it from others. */
        Branch(String name) {
            byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
            transaction = Arrays.copyOfRange(bytes, Math.max(0, bytes.length - MAXGTRIDSIZE), bytes.length);
        }

        @Override
        public int getFormatId() {
            return 17;
        }

        @Override
        public byte[] getGlobalTransactionId() {
            return transaction;
        }

        @Override
        public byte[] getBranchQualifier() {
            return new byte[] {1, 0, -1};
        }
    }
}
