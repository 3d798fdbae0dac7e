using System.Buffers;
using System.IO.Hashing;
using TaskService.Domain;

namespace TaskService.Api;

/// <summary>
/// The body of a list, an object from id to task, written in pieces so that it takes the same memory at any length.
/// The first piece is there before the head is sent: a list that fits it is sent whole, with a tag.
/// </summary>
internal sealed class TaskListBody : IAsyncDisposable
{
    /// <summary>How large a piece gets before it is sent.</summary>
    public const int PieceBytesMax = 64 * 1024;

    private readonly IAsyncEnumerator<StoredTask> tasks;

    // Rented: made anew, a list of 1,000 tasks took twice as long, and the memory of large arrays was not given back.
    private byte[] piece = ArrayPool<byte>.Shared.Rent(2 * PieceBytesMax);
    private int pieceBytes;
    private int left;

    private TaskListBody(IAsyncEnumerator<StoredTask> tasks, int? limit)
    {
        (this.tasks, left) = (tasks, limit ?? int.MaxValue);
        piece[pieceBytes++] = (byte)'{';
    }

    /// <summary>Whether the piece that is there is the last one.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>The piece that is there, until the next one or the end.</summary>
    public ReadOnlyMemory<byte> Piece => piece.AsMemory(0, pieceBytes);

    /// <summary>Where the page ends, if there are more tasks behind it.</summary>
    public string? LastIdOfPage { get; private set; }

    /// <summary>A tag of the body, when it is all there.</summary>
    public UInt128? Tag => IsComplete ? XxHash128.HashToUInt128(Piece.Span) : null;

    private string? LastId { get; set; }

    /// <summary>Begins a list and fills its first piece.</summary>
    public static async ValueTask<TaskListBody> BeginAsync(
        TodoListService tasks, TaskListQuery query, CancellationToken cancel)
    {
        var body = new TaskListBody(tasks.ListAsync(query.Tasks, cancel).GetAsyncEnumerator(cancel), query.Limit);
        await body.FillAsync();
        if (!body.IsComplete && query.Limit is not null)
        {
            // The head says where the page ends, so the rest of it is looked through before it is sent.
            var rest = tasks.ListAsync(query.Tasks with { After = body.LastId }, cancel);
            body.LastIdOfPage = await EndOfPageAsync(rest, body.left, body.LastId!);
        }
        return body;
    }

    /// <summary>Replaces the piece by the next one.</summary>
    public ValueTask NextAsync()
    {
        pieceBytes = 0;
        return FillAsync();
    }

    public ValueTask DisposeAsync()
    {
        ArrayPool<byte>.Shared.Return(piece);
        piece = [];
        return tasks.DisposeAsync();
    }

    private static async ValueTask<string?> EndOfPageAsync(
        IAsyncEnumerable<StoredTask> rest, int left, string last)
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

    private async ValueTask FillAsync()
    {
        while (await tasks.MoveNextAsync())
        {
            var task = tasks.Current;
            // Where the page ends was said in the head; tasks that come and go meanwhile do not move it.
            if (LastIdOfPage is null ? left == 0 : string.CompareOrdinal(task.Id, LastIdOfPage) > 0)
            {
                LastIdOfPage ??= LastId;
                break;
            }
            left--;
            Append(EncodedTask.Member(task), isFirst: LastId is null);
            LastId = task.Id;
            if (pieceBytes >= PieceBytesMax)
            {
                return;
            }
        }
        Room(1)[0] = (byte)'}';
        pieceBytes++;
        IsComplete = true;
    }

    private void Append(ReadOnlySpan<byte> member, bool isFirst)
    {
        var room = Room(member.Length + 1);
        room[0] = (byte)',';
        var start = isFirst ? 0 : 1;
        member.CopyTo(room[start..]);
        pieceBytes += start + member.Length;
    }

    private Span<byte> Room(int bytes)
    {
        if (piece.Length - pieceBytes < bytes)
        {
            var larger = ArrayPool<byte>.Shared.Rent(pieceBytes + bytes);
            Piece.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(piece);
            piece = larger;
        }
        return piece.AsSpan(pieceBytes);
    }
}
