namespace TaskService.Telemetry;

/// <summary>Fields in the order in which they were first set. Not safe for use by several threads at once.</summary>
public sealed class FieldList
{
    private Field[] items = new Field[8];

    public int Count { get; private set; }

    public ReadOnlySpan<Field> Items => items.AsSpan(0, Count);

    /// <summary>Sets a field; one with the same key keeps its place and gets the new value.</summary>
    public void Set(string key, FieldValue value)
    {
        for (var i = 0; i < Count; i++)
        {
            if (items[i].Key == key)
            {
                items[i] = new Field(key, value);
                return;
            }
        }
        Append(key, value);
    }

    /// <summary>Adds a field at the end, without a look whether its key is there already.</summary>
    public void Append(string key, FieldValue value)
    {
        if (Count == items.Length)
        {
            Array.Resize(ref items, Count * 2);
        }
        items[Count++] = new Field(key, value);
    }

    public void Append(ReadOnlySpan<Field> fields)
    {
        foreach (var field in fields)
        {
            Append(field.Key, field.Value);
        }
    }

    public void Clear()
    {
        Array.Clear(items, 0, Count);
        Count = 0;
    }
}
