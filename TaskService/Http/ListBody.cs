using System.Buffers;
using System.IO.Hashing;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>
/// The body of a list, an object from id to task, written in pieces so that it takes the same memory at any length.
/// The first piece is there before the head is sent: a list that fits it is sent whole, with a tag.
/// </summary>
internal sealed class TaskListBody : IStreamedBody, IAsyncDisposable
{
    /// <summary>How large a piece gets, but for a task that takes more alone.</summary>
    public const int PieceBytesMax = 64 * 1024;

    private readonly IAsyncEnumerator<Stored<TaskEntry>> tasks;

    // Rented: made anew, a list of 1,000 tasks took twice as long, and the memory of large arrays was not given back.
    private byte[]? first = ArrayPool<byte>.Shared.Rent(PieceBytesMax);
    private int firstBytes;
    private int left;

    // The current task did not fit the piece before; with what comes around it, it takes so much.
    private int waitingBytes;
    private string? lastId;
    private bool isComplete;

    private TaskListBody(IAsyncEnumerator<Stored<TaskEntry>> tasks, int? limit) =>
        (this.tasks, left) = (tasks, limit ?? int.MaxValue);

    /// <summary>All of it, when it fits the first piece, until disposal; else empty.</summary>
    public ReadOnlyMemory<byte> Whole { get; private set; }

    /// <summary>Whether all of it was written.</summary>
    public bool IsWritten => isComplete && firstBytes == 0;

    /// <summary>Where the page ends, if there are more tasks behind it.</summary>
    public string? LastIdOfPage { get; private set; }

    /// <summary>Of a list that fits the first piece.</summary>
    public string? Tag { get; private set; }

    /// <summary>Begins a list and fills its first piece.</summary>
    public static async ValueTask<TaskListBody> BeginAsync(
        TodoListService tasks, TaskListQuery query, CancellationToken cancel)
    {
        var body = new TaskListBody(tasks.ListAsync(query.Tasks, cancel).GetAsyncEnumerator(cancel), query.Limit);
        try
        {
            await body.FillFirstAsync(tasks, query, cancel);
            return body;
        }
        catch
        {
            await body.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes the next piece.</summary>
    /// <returns>Its bytes.</returns>
    public async ValueTask<int> WriteAsync(IBufferWriter<byte> target)
    {
        var (piece, bytes) = (first, firstBytes);
        (first, firstBytes) = (null, 0);
        if (piece is null)
        {
            piece = ArrayPool<byte>.Shared.Rent(Math.Max(PieceBytesMax, waitingBytes));
            bytes = await FillAsync(piece);
        }
        target.Write(piece.AsSpan(0, bytes));
        // Not kept until the client took it: the next piece is made in memory that the processor has at hand. With 64
        // clients it took 0.7 of the time, and a quarter less memory.
        ArrayPool<byte>.Shared.Return(piece);
        return bytes;
    }

    public ValueTask DisposeAsync()
    {
        if (first is not null)
        {
            ArrayPool<byte>.Shared.Return(first);
            first = null;
        }
        return tasks.DisposeAsync();
    }

    private static async ValueTask<string?> EndOfPageAsync(
        IAsyncEnumerable<Stored<TaskEntry>> rest, int left, string last)
    {
        await foreach (var task in rest)
        {
            if (left-- == 0)
            {
                return last;
            }
            last = task.Id;
        }
        return null;
    }

    private async ValueTask FillFirstAsync(TodoListService list, TaskListQuery query, CancellationToken cancel)
    {
        firstBytes = await FillAsync(first.AsMemory(0, PieceBytesMax));
        if (isComplete)
        {
            Whole = first.AsMemory(0, firstBytes);
            Tag = Preconditions.TagOf(XxHash128.HashToUInt128(Whole.Span));
        }
        else if (query.Limit is not null)
        {
            // The head says where the page ends, so the rest of it is looked through before it is sent.
            var waiting = tasks.Current.Id;
            var rest = list.ListAsync(query.Tasks with { After = waiting }, cancel);
            LastIdOfPage = await EndOfPageAsync(rest, left - 1, waiting);
        }
    }

    private async ValueTask<int> FillAsync(Memory<byte> piece)
    {
        var bytes = 0;
        if (lastId is null && waitingBytes == 0)
        {
            piece.Span[bytes++] = (byte)'{';
        }
        while (waitingBytes > 0 || await tasks.MoveNextAsync())
        {
            var task = tasks.Current;
            // Where the page ends was said in the head; tasks that come and go meanwhile do not move it.
            if (LastIdOfPage is null ? left == 0 : string.CompareOrdinal(task.Id, LastIdOfPage) > 0)
            {
                LastIdOfPage ??= lastId;
                break;
            }
            var member = EncodedTask.Member(task);
            // With a comma before it, and room for the brace behind the last one.
            waitingBytes = member.Length + (lastId is null ? 1 : 2);
            if (piece.Length - bytes < waitingBytes)
            {
                return bytes;
            }
            if (lastId is not null)
            {
                piece.Span[bytes++] = (byte)',';
            }
            member.CopyTo(piece.Span[bytes..]);
            bytes += member.Length;
            waitingBytes = 0;
            lastId = task.Id;
            left--;
        }
        // Now, not with the answer: a page ends before its last task is read, and the reading with it.
        await tasks.DisposeAsync();
        piece.Span[bytes++] = (byte)'}';
        isComplete = true;
        return bytes;
    }
}
