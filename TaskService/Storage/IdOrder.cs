using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>The slot of a value under its id, shared by the lookup by id and the order for lists.</summary>
internal sealed class Slot<T>(Stored<T> item)
    where T : class, IContent
{
    private Stored<T>? item = item;

    public string Id { get; } = item.Id;

    /// <summary>The value as it is now; null when it was removed.</summary>
    public Stored<T>? Item => Volatile.Read(ref item);

    /// <returns>False when the slot no longer holds <paramref name="current"/>.</returns>
    public bool Replace(Stored<T> current, Stored<T>? next) =>
        ReferenceEquals(Interlocked.CompareExchange(ref item, next, current), current);
}

/// <summary>
/// The slots of all values in id order, in chunks: an insert at the end, as of new ids, is nearly free, and one in
/// between moves a chunk at most. Not safe for use by several threads at once.
/// </summary>
internal sealed class IdOrder<T>
    where T : class, IContent
{
    private const int ChunkItems = 512;

    // None of them is empty.
    private readonly List<Chunk> chunks = [];

    public void Add(Slot<T> slot)
    {
        if (chunks.Count == 0 || (chunks[^1].IsFull && Compare(chunks[^1].Last, slot.Id) < 0))
        {
            chunks.Add(new Chunk());
        }
        var index = ChunkOf(slot.Id);
        var chunk = chunks[index];
        if (chunk.IsFull)
        {
            chunks.Insert(index + 1, chunk.SplitOff());
            chunk = Compare(chunk.Last, slot.Id) < 0 ? chunks[index + 1] : chunk;
        }
        chunk.Insert(chunk.Position(slot.Id), slot);
    }

    public void Remove(string id)
    {
        var index = ChunkOf(id);
        var chunk = chunks[index];
        chunk.RemoveAt(chunk.Position(id));
        if (chunk.Count == 0)
        {
            chunks.RemoveAt(index);
        }
    }

    /// <summary>Copies the slots behind an id, the nearest first.</summary>
    /// <param name="id">It need not be there; null for all.</param>
    /// <param name="page">Gets as many as it holds.</param>
    /// <returns>The number of slots copied; fewer than the page holds only when there are no more.</returns>
    public int CopyAfter(string? id, Span<Slot<T>> page)
    {
        if (chunks.Count == 0)
        {
            return 0;
        }
        var index = id is null ? 0 : ChunkOf(id);
        var start = id is null ? 0 : chunks[index].PositionAfter(id);
        var count = 0;
        for (; index < chunks.Count && count < page.Length; index++, start = 0)
        {
            count += chunks[index].CopyTo(page[count..], start);
        }
        return count;
    }

    /// <summary>Copies the slots before an id, the nearest first.</summary>
    /// <inheritdoc cref="CopyAfter"/>
    public int CopyBefore(string? id, Span<Slot<T>> page)
    {
        if (chunks.Count == 0)
        {
            return 0;
        }
        var count = 0;
        for (var index = id is null ? chunks.Count - 1 : ChunkOf(id); index >= 0 && count < page.Length; index--)
        {
            var chunk = chunks[index];
            var end = id is null || count > 0 ? chunk.Count : chunk.Position(id);
            for (; end > 0 && count < page.Length; end--)
            {
                page[count++] = chunk[end - 1];
            }
        }
        return count;
    }

    private static int Compare(string left, string right) => string.CompareOrdinal(left, right);

    /// <summary>The last chunk that begins at or before the id, or the first one.</summary>
    private int ChunkOf(string id)
    {
        var (low, high) = (0, chunks.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = chunks[middle].Count == 0 || Compare(chunks[middle].First, id) <= 0
                ? (middle, high) : (low, middle - 1);
        }
        return low;
    }

    private sealed class Chunk
    {
        private readonly Slot<T>[] slots = new Slot<T>[ChunkItems];

        public int Count { get; private set; }

        public bool IsFull => Count == ChunkItems;

        public string First => slots[0].Id;

        public string Last => slots[Count - 1].Id;

        public Slot<T> this[int position] => slots[position];

        /// <summary>The position of the first id that is not below this one (lower bound).</summary>
        public int Position(string id)
        {
            if (Count > 0 && Compare(Last, id) < 0)
            {
                return Count;
            }
            var (low, high) = (0, Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                (low, high) = Compare(slots[middle].Id, id) < 0 ? (middle + 1, high) : (low, middle);
            }
            return low;
        }

        public int PositionAfter(string id)
        {
            var position = Position(id);
            return position < Count && slots[position].Id == id ? position + 1 : position;
        }

        public void Insert(int position, Slot<T> slot)
        {
            Array.Copy(slots, position, slots, position + 1, Count - position);
            slots[position] = slot;
            Count++;
        }

        public void RemoveAt(int position)
        {
            Count--;
            Array.Copy(slots, position + 1, slots, position, Count - position);
            slots[Count] = null!;
        }

        /// <summary>Moves the upper half to a new chunk.</summary>
        public Chunk SplitOff()
        {
            var upper = new Chunk { Count = Count / 2 };
            Count -= upper.Count;
            Array.Copy(slots, Count, upper.slots, 0, upper.Count);
            Array.Clear(slots, Count, upper.Count);
            return upper;
        }

        public int CopyTo(Span<Slot<T>> page, int start)
        {
            var count = Math.Min(page.Length, Count - start);
            slots.AsSpan(start, count).CopyTo(page);
            return count;
        }
    }
}
